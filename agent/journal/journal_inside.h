/* The inside of the journals, for their files only:
 *
 *     journals.c          all of them; the collector's rows
 *     journal.c           one: opening, reading, gaps
 *     journal_streams.c   which stream an entry belongs to
 *     resume.c            where a journal is read from after a start or a conflict
 */
#ifndef HAUL_AGENT_JOURNAL_INSIDE_H
#define HAUL_AGENT_JOURNAL_INSIDE_H

#include "agent/journal/journal.h"
#include "agent/journal/reader.h"
#include "agent/journal/stream.h"
#include "common/map.h"

enum { SERIES_MAX = 256, STREAMS_MAX = 1000 };

/* The service of entries that were lost, and of what comes beyond STREAMS_MAX. */
#define JOURNAL_OWN_SERVICE "journal"

/* A series of numbers: each file of a journald, and what it is rotated to, is one. All of them take
 * their numbers from one counter. */
struct series {
	struct cursor last; /* that was read */
	uint64_t base; /* no number up to here is missing; last's, or a greater one after a start */
	/* so many greater numbers have been read, or told lost, of other series since */
	uint64_t others;
};

struct journal {
	struct input *input;
	char *path; /* of its sources: "journal", or with a configured one "journal:PATH"; owned */
	struct source_table *table;
	struct registry *registry;
	struct reader *reader; /* NULL: it is not open */
	struct record record;
	struct window window;
	struct map by_name;           /* its sources by service and instance */
	struct buf service, instance; /* of the entry at hand */

	bool settled;              /* it is known from where to read */
	bool to_tail;              /* at the very first start, and `from = end` */
	struct journal_point read; /* the last entry that was read; number 0: none */
	struct series *series; /* SERIES_MAX of them; more are not followed, and then no gap is */
	size_t n_series;
	bool too_many_series;
	bool again;       /* there was a gap: it is read a second time from before it */
	bool again_found; /* ... where the entry before it is there still */

	bool at_end;          /* nothing more was there when it was read last */
	bool waits;           /* a stream of it may wait for the rest of a line */
	int64_t processed_ns; /* monotonic */
	int64_t open_due_ns;  /* when it is opened, or looked at whether it has to be anew */
	int64_t tidy_due_ns;  /* when quiet streams are looked at */
	int error;            /* why it cannot be read; 0: it can */
	struct log_gate gate, damage_gate, cut_gate, many_gate;
};

struct journal_row { /* of the collector's list */
	struct stream_id id;
	char *path, *service, *instance; /* owned */
	uint64_t start;
	struct position at;
	struct journal_place place;
	bool ended;
};

struct journal_array {
	struct journal *items;
	size_t n;
};

struct journals {
	struct journal_array list;
	struct journal_array next; /* of the configuration that is about to hold */
	struct source_table *table;
	struct registry *registry;
	struct journal_row *rows;
	size_t n_rows, rows_capacity, rows_seen;
	bool first_start;
};

/* --- journal.c --- */

int journal_init(struct journal *j, struct input *in, struct source_table *t,
		 struct registry *r) MUST_CHECK;
void journal_free(struct journal *j); /* its streams stay in the table */
/* Reads for a while; opens it when that is due. */
void journal_read(struct journal *j, int64_t now_ns, bool readable);
int64_t journal_next_ns(const struct journal *j, int64_t now_ns);
/* Is its descriptor to be polled? */
bool journal_is_listening(const struct journal *j, int64_t now_ns);
/* It is to be opened anew, at once, and read from where it stands. */
void journal_close(struct journal *j, int64_t again_ns);
/* This number of the series has been read, and `lost` numbers before it are lost. */
void journal_remember(struct journal *j, const struct cursor *c, uint64_t lost);
/* What is in `path`, the way a journal's sources are called. */
int journal_path(const struct input *in, char **ret) MUST_CHECK;

/* --- journal_streams.c --- */

void journal_streams_init(struct journal *j);
/* Makes a source known under its service and instance, and the journal read for it. When there are
 * two of a name (one was to end) the older one ends. Errors: -ENOMEM. */
int journal_adopt(struct journal *j, struct source *s) MUST_CHECK;
/* The journal does not read for it any more, and nothing of it is in a batch. */
void journal_disown(struct journal *j, struct source *s);
/* The stream of the record at hand; made when there is none. Errors: -errno. */
int journal_find_stream(struct journal *j, struct source **ret) MUST_CHECK;
/* The one for what is nobody's: losses, and services beyond STREAMS_MAX. Errors: as above. */
int journal_own_stream(struct journal *j, struct source **ret) MUST_CHECK;
/* Ends streams that nobody writes to; sets tidy_due_ns. */
void journal_tidy(struct journal *j, int64_t now_ns);

/* --- resume.c --- */

/* All positions of its streams are those of the collector: forgets what was read, and goes to the
 * place from where on something may be missing. */
void resume_journal(struct journal *j, const struct journal_point *from, bool from_head);
/* The journal was opened: goes there. Errors: those of reading. */
int resume_place(struct journal *j) MUST_CHECK;
/* Has the stream sent this entry already? Only before what it had sent is passed. */
bool resume_was_sent(struct journal *j, struct journal_stream *s, const struct cursor *c);

#endif
