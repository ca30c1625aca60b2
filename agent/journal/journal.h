/* The systemd journals that are followed: each input of that type is one. Their entries become
 * streams, one for each service (stream.h), which are sources like files; the pump takes them from
 * there.
 *
 * An entry is read once the collector's streams are known, and then stays in memory (window.h)
 * until it is acknowledged; when there is too much of that, reading stops, for the journal itself
 * is the buffer. */
#ifndef HAUL_AGENT_JOURNAL_H
#define HAUL_AGENT_JOURNAL_H

#include "agent/files/registry.h"
#include "agent/files/source.h"

#define JOURNALS_MAX 8 /* inputs of that type */

struct journals;

/* The inputs (those of other types are passed over) outlive them, until a reload. Errors:
 * -ENOMEM. */
int journals_new(struct input *inputs, size_t n, struct source_table *t, struct registry *r,
		 struct journals **ret) MUST_CHECK;
void journals_free(struct journals *all);

/* A reload in two steps, of which only the first can fail (-ENOMEM). The collector's streams have
 * to be listed again after the second one: until then nothing is read. Streams that no input wants
 * any more keep their place in the registry. */
int journals_prepare(struct journals *all, struct input *inputs, size_t n) MUST_CHECK;
void journals_switch(struct journals *all);

/* The descriptors to be polled for input now; `max` is at least JOURNALS_MAX. When one of them is
 * readable, journals_take is called with that. */
unsigned journals_fds(const struct journals *all, int64_t now_ns, int *fds, unsigned max);
void journals_take(struct journals *all, int64_t now_ns, bool readable);
/* When journals_take wants to be called without that (monotonic); INT64_MAX: never. */
int64_t journals_next_ns(const struct journals *all, int64_t now_ns);

/* The collector's streams: true when the row is one of a journal's stream. journals_rows_end: all
 * were given, and nothing of journals is in a batch. */
struct stream_row;
bool journals_row(struct journals *all, const struct stream_row *row);
void journals_rows_end(struct journals *all);

/* An input's journal is at hand: what is in it, one line, for `haul-agent check`. */
int journal_list(const struct input *in, struct buf *out) MUST_CHECK;

/* For status and metrics; i counts from 0, false: there are no more. */
struct journal_status {
	const char *input, *path;
	const char *error; /* why it cannot be read now; NULL: it can */
	uint64_t streams;
	uint64_t held_bytes; /* read and not yet acknowledged */
};
bool journals_status(const struct journals *all, size_t i, struct journal_status *ret);

#endif
