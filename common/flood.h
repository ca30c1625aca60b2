/* Keeps messages of one kind from flooding: a bounded number of them a minute, and how many were
 * left out. Kinds are told by an address (a message's format). */
#ifndef HAUL_COMMON_FLOOD_H
#define HAUL_COMMON_FLOOD_H

#include <stdint.h>

enum { FLOOD_KINDS = 64, FLOOD_BURST = 20 };
#define FLOOD_WINDOW_NS (60 * INT64_C(1000000000))

struct flood { /* zero it to begin */
	struct flood_kind {
		const void *kind; /* NULL: free */
		int64_t since_ns; /* its minute began then */
		uint64_t told, left_out;
	} kinds[FLOOD_KINDS];
};

enum flood_verdict {
	FLOOD_TELL,
	FLOOD_TELL_LAST, /* the last one for now: it should say so */
	FLOOD_SILENT,
};

/* A message of that kind at that (monotonic) time. *ret_left_out: how many were left out before
 * this one, in the minute that is over; 0 unless it is to be told. */
enum flood_verdict flood_take(struct flood *f, const void *kind, int64_t now_ns,
			      uint64_t *ret_left_out);

#endif
