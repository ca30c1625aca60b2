/* What sorter.c and merge.c share. */
#ifndef HAUL_COLLECTOR_QUERY_SORTER_PARTS_H
#define HAUL_COLLECTOR_QUERY_SORTER_PARTS_H

#include "collector/query/sorter.h"
#include "collector/query/spill.h"

#define MERGE_FAN_IN 128 /* runs that are read at once, with a buffer each */

/* A record in memory: its body lies in the sorter's arena. */
struct kept {
	int64_t time_us;
	struct place at;
	size_t body; /* offset into the arena */
	uint32_t len, key_at;
	bool matched, joined;
};

struct sorter {
	enum record_order order;
	size_t memory;
	uint64_t limit; /* 0: none */
	bool has_last;  /* the limit is reached: later times than last_us are not wanted */
	int64_t last_us;
	struct buf arena;
	struct kept *kept;
	size_t n, cap;
	bool sorted;
	struct spill spill;
	struct spill_run *runs;
	size_t n_runs, cap_runs;
};

/* Sorts what is in memory. */
void sorter_settle(struct sorter *s);

struct record kept_record(const struct sorter *s, const struct kept *k);

/* A merge of `n` runs of one sorter. */
int merge_open_runs(struct sorter *s, const struct spill_run *runs, size_t n,
		    struct merge **ret) MUST_CHECK;

#endif
