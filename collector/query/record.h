/* What a search found: one line, or lines that are shown together. */
#ifndef HAUL_COLLECTOR_QUERY_RECORD_H
#define HAUL_COLLECTOR_QUERY_RECORD_H

#include "collector/query/place.h"
#include "common/civil.h"

#include <errno.h>

#define RECORD_NO_TIME INT64_MIN /* the line does not begin with a time as haul writes it */

/* Every line of a body begins with one of these bytes and ends with LF. */
enum { RECORD_MATCHED = 'm', RECORD_SHOWN = 's' /* only for the sake of another */ };

struct record {
	int64_t time_us; /* of the line it is sorted by */
	struct place at; /* of its first line */
	uint32_t key_at; /* where in the body the line begins that it is sorted by */
	bool matched;    /* some line of it */
	bool joined;     /* it goes on where the record before it ended */
	struct span body;
};

enum record_order {
	RECORD_BY_TIME,
	RECORD_BY_PLACE, /* shard by shard, as its lines were appended */
	RECORD_BY_BODY,  /* its first key_at bytes; a tally's entries */
};

static inline int64_t record_time(struct span line)
{
	int64_t us;
	if (line.len < CIVIL_TIME_LEN ||
	    (line.len > CIVIL_TIME_LEN && line.ptr[CIVIL_TIME_LEN] != ' ') ||
	    civil_parse_us(span_first(line, CIVIL_TIME_LEN), &us) < 0)
		return RECORD_NO_TIME;
	return us;
}

/* The field that `sort -k1,1` compares: blanks, then what is none. */
static inline struct span record_key(const struct record *r)
{
	struct span line = span_from(r->body, r->key_at);
	size_t len = 0;
	line.len = span_find(line, '\n');
	while (len < line.len && (line.ptr[len] == ' ' || line.ptr[len] == '\t'))
		len++;
	while (len < line.len && line.ptr[len] != ' ' && line.ptr[len] != '\t')
		len++;
	return span_first(line, len);
}

static inline int record_compare_bytes(struct span a, struct span b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int r = len ? memcmp(a.ptr, b.ptr, len) : 0;
	return r ? r : (a.len > b.len) - (a.len < b.len);
}

static inline int record_compare_time(const struct record *a, const struct record *b)
{
	if (a->time_us != RECORD_NO_TIME && b->time_us != RECORD_NO_TIME)
		return (a->time_us > b->time_us) - (a->time_us < b->time_us);
	return record_compare_bytes(record_key(a), record_key(b));
}

/* The same line may have been found twice, by two threads at the border of their pieces: then the
 * one that matched comes first. */
static inline int record_compare(const struct record *a, const struct record *b,
				 enum record_order order)
{
	int r = 0;
	switch (order) {
	case RECORD_BY_BODY:
		return record_compare_bytes(span_first(a->body, a->key_at),
					    span_first(b->body, b->key_at));
	case RECORD_BY_TIME: r = record_compare_time(a, b); break;
	case RECORD_BY_PLACE: r = (a->at.rank > b->at.rank) - (a->at.rank < b->at.rank); break;
	}
	if (r == 0)
		r = place_compare(&a->at, &b->at);
	return r ? r : (int)b->matched - (int)a->matched;
}

/* The lines of a body, one after another: false at the end. */
static inline bool record_next_line(const struct record *r, size_t *at, struct span *ret_line,
				    bool *ret_matched)
{
	if (*at >= r->body.len)
		return false;
	struct span rest = span_from(r->body, *at);
	size_t len = span_find(rest, '\n');
	*ret_matched = rest.ptr[0] == RECORD_MATCHED;
	*ret_line = span_make(rest.ptr + 1, len - 1);
	*at += len + 1;
	return true;
}

#endif
