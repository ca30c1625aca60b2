/* Finds the time in a line that is a JSON object. A scanner walks over the outermost members at
 * memory speed; yajl decides what a string says that has escapes in it. */
#ifndef HAUL_AGENT_STAMP_JSON_H
#define HAUL_AGENT_STAMP_JSON_H

#include "agent/stamp/moment.h"
#include "common/span.h"

/* Where the last line of a source had its time: a guess to begin with. */
struct stamp_json_place {
	int key;       /* index of stamp_key.h; -1: not known */
	bool from_end; /* `at` counts from the object's end, for keys that stand late */
	size_t at;     /* of the key's opening quote; 0: not known */
};

/* The value of one of the keys of stamp_key.h, at the outermost level only: the one at `place` when
 * it is there, else the one with that key wherever it stands, else the most preferred. A value that
 * is no time does not count. Values may be strings (of any textual form, or a number), numbers, and
 * the objects of MongoDB ($date), Log4j (epochSecond, nanoOfSecond) and Google (seconds, nanos).
 * Keys are looked for in the first `reach` bytes. True: *m and *place are set. */
bool stamp_json_find(struct span object, size_t reach, struct stamp_json_place *place,
		     struct moment *m);

/* The same for one given key and no other; a dot leads into a nested object (a.b is b in a) or is
 * part of the key itself, whichever the line has. Numbers of any size are epochs here. */
bool stamp_json_find_key(struct span object, struct span path, struct stamp_json_place *place,
			 struct moment *m);

#endif
