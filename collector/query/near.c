/* Near words: see near.h. Used where a name is not known: commands, options, services, hosts,
 * fields.
 *
 * The distance is how many letters have to be put in, left out, changed or swapped with their
 * neighbour; a third of them may be wrong. A name that is a part of the word ("checkout" of
 * "shop.checkout") is near, too. Cannot fail. */
#include "collector/query/near.h"

#include <stdio.h>

enum { FAR = NEAR_LEN + 1 };

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned distance(struct span a, struct span b)
{
	unsigned rows[3][NEAR_LEN + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];
	for (unsigned k = 0; k <= b.len; k++)
		last[k] = k;
	for (unsigned i = 1; i <= a.len; i++) {
		row[0] = i;
		for (unsigned k = 1; k <= b.len; k++) {
			bool same = a.ptr[i - 1] == b.ptr[k - 1];
			row[k] = least(last[k - 1] + !same, least(last[k], row[k - 1]) + 1);
			if (i > 1 && k > 1 && a.ptr[i - 1] == b.ptr[k - 2] &&
			    a.ptr[i - 2] == b.ptr[k - 1])
				row[k] = least(row[k], before[k - 2] + 1);
		}
		unsigned *free_row = before;
		before = last;
		last = row;
		row = free_row;
	}
	return last[b.len];
}

static bool has_part(struct span word, struct span part)
{
	return part.len > 2 && memmem(word.ptr, word.len, part.ptr, part.len);
}

/* The word, or what stands behind the last dot of it. */
static unsigned distance_to(struct span typed, struct span word)
{
	unsigned most = (unsigned)typed.len / 3 + (typed.len > 1), d = distance(typed, word);
	const char *dot = memrchr(word.ptr, '.', word.len);
	if (dot)
		d = least(d, distance(typed, span_from(word, (size_t)(dot + 1 - word.ptr))) + 1);
	if (has_part(word, typed))
		d = least(d, 1);
	return d <= most ? d : FAR;
}

void near_offer(struct near *n, struct span typed, struct span word)
{
	if (typed.len == 0 || word.len == 0 || typed.len > NEAR_LEN || word.len > NEAR_LEN)
		return;
	unsigned d = distance_to(typed, word);
	if (d >= FAR || (*n->word && d >= n->distance))
		return;
	n->distance = d;
	memcpy(n->word, word.ptr, word.len);
	n->word[word.len] = '\0';
}

const char *near_text(const struct near *n, char text[NEAR_TEXT_MAX])
{
	*text = '\0';
	if (*n->word)
		(void)snprintf(text, NEAR_TEXT_MAX, " (did you mean '%s'?)", n->word);
	return text;
}
