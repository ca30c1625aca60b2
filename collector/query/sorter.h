/* Takes records in any order and gives them back sorted, in bounded memory. A sorter belongs to one
 * thread while it is filled; a merge reads several of them afterwards. */
#ifndef HAUL_COLLECTOR_QUERY_SORTER_H
#define HAUL_COLLECTOR_QUERY_SORTER_H

#include "collector/query/record.h"
#include "common/buf.h"

struct sorter;
struct merge;

/* `memory` is what it may hold before it writes to a temporary file. With `limit` only records that
 * can be among the first `limit` that matched are kept, and what is shown with those. NULL when
 * memory is short. */
struct sorter *sorter_new(enum record_order order, size_t memory, uint64_t limit);
void sorter_free(struct sorter *s);

/* One line, without its LF. Errors: -ENOMEM; -errno of the temporary file. */
int sorter_add_line(struct sorter *s, struct span line, struct place at, bool matched) MUST_CHECK;
/* A record as it is, copied. */
int sorter_add(struct sorter *s, const struct record *r) MUST_CHECK;

/* Has it written to its temporary file since it was cleared? */
bool sorter_spilled(const struct sorter *s);

/* Forgets everything, for the next day. */
void sorter_clear(struct sorter *s);

/* What all sorters have, in order; of a line that was found twice one. The sorters are left alone
 * meanwhile, and may be merged again. Errors: -ENOMEM; -errno. */
int merge_open(struct sorter *const *sorters, size_t n, struct merge **ret) MUST_CHECK;
/* 1 and the next record, valid until the next call; 0 at the end; -errno. */
int merge_next(struct merge *m, struct record *ret) MUST_CHECK;
void merge_close(struct merge *m);

#endif
