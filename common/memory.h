/* What a program keeps in memory while it has nothing to do. */
#ifndef HAUL_COMMON_MEMORY_H
#define HAUL_COMMON_MEMORY_H

/* Gives back what only the start, or a burst of work, needed: freed heap, and the pages of code and
 * constants. Those are read-only and come back from the page cache as they are used, so that costs
 * some hundred page faults; of libraries that are linked for one thing and large, little does come
 * back. Any thread. */
void memory_rest(void);

#endif
