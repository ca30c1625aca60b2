/* A source: one incarnation of a log file on this host, what survives a rename. While it lives it
 * is known by (inode, birth time); the device number is only a hint. The table owns all sources.
 * What it can be is one enum, which source_move alone changes; ARCHITECTURE.md has the diagram,
 * source.c the table of all steps. There are ways back: a rotated file that gets its old name
 * again, an unlinked one that a copy is found for, a missing one whose file turns up and is NEW
 * until its bytes have been compared. */
#ifndef HAUL_AGENT_SOURCE_H
#define HAUL_AGENT_SOURCE_H

#include "agent/files/ladder.h"
#include "agent/input.h"
#include "agent/lines/position.h"
#include "common/list.h"
#include "common/log.h"
#include "common/stream_id.h"

#include <stdint.h>
#include <sys/types.h>

enum source_state {
	SOURCE_NEW,       /* seen; not to be read before the collector's streams are known */
	SOURCE_STRAY,     /* it has the name of a rotated file: is it a stream's copy or rest? */
	SOURCE_COPY,      /* a stray that has the same bytes as another stream that has a file */
	SOURCE_MISSING,   /* known from registry or collector; no file found for it (yet) */
	SOURCE_FOLLOWING, /* a followed name leads to it */
	SOURCE_ROTATED,   /* its name was changed or taken; it may still be written */
	SOURCE_UNLINKED,  /* no name leads to it; the descriptor is all there is */
	/* read to the end and acknowledged; the collector is to be told that it ends */
	SOURCE_DRAINED,
	SOURCE_ENDING, /* it is being told: an empty chunk with `ended` is on its way */
	SOURCE_ENDED,  /* let go: kept in the registry only, to recognise copies of it */
};

const char *source_state_name(enum source_state s);

struct envelope;
struct journal_stream;

/* Not all sources are files: a stream of a systemd journal is one too, whose offsets count entries.
 * Those are for agent/journal; what is said here of files does not touch them, and source_first
 * does not give them. List nodes are linked while what is said of them holds. Causes are static
 * texts. */
struct source {
	enum source_state state;
	/* MISSING, and NEW after that: what it was before; NEW: nothing. */
	enum source_state was;
	/* In the table, in order of age. */
	struct list_node node;
	/* There may be bytes to read; sources take turns. */
	struct list_node ready;
	/* An older file of the same log goes first (agent/files/elder.h). */
	struct list_node waiting;
	/* errno of the last failed access; 0: fine. */
	int last_error;

	/* --- which file --- */

	struct stream_id id;
	/* The name it was last seen under; owned. */
	char *path;
	uint64_t ino;
	/* 0: not known on this file system. */
	int64_t btime_ns;
	/* A hint only. */
	dev_t dev;

	/* --- where its lines go: valid names, owned; no instance: "" --- */

	char *service, *instance;
	struct input *input;

	/* --- how far --- */

	/* Where the stream begins. */
	uint64_t start;
	/* The collector's word. */
	struct position committed;
	/* Lines are cut up to here; committed <= cursor. */
	struct position cursor;
	/* As last and as first seen. */
	uint64_t size, first_size;
	/* The registry knows its id: chunks may leave. The collector knows the stream. */
	bool announced : 1, born : 1;

	/* --- reading --- */

	/* -1: closed while idle, reopened when it grows. */
	int fd;
	/* Bytes from cursor.offset on that came back from a batch (rewind): read before the file,
	 * which may not have them any more. */
	struct buf replay;
	/* Read at most so much at a turn, after a refusal; 0: no limit. */
	uint64_t limit_bytes;
	int64_t last_growth_ns, last_read_ns;
	struct stamp_memory stamp_memory[OUTPUTS];
	/* A container decoder's memory (agent/lines/envelope.h); NULL for plain files. */
	struct envelope *envelope;
	/* agent/journal/stream.h; NULL: it is a file. */
	struct journal_stream *journal;

	/* --- younger files of the same log: agent/files/elder.h, which sets these but for spent_at and spent_size --- */

	/* For an older one that does not get on; 0: it does not wait so. */
	int64_t waits_since_ns;
	/* They wait until so much of this one is read; 0: nobody has asked yet. */
	uint64_t bound;
	/* A turn at that offset, the file being so long, gave nothing. */
	uint64_t spent_at, spent_size;
	/* A container's: the file behind it began before that time, which is not 0 when a later one
	 * is known. */
	int64_t heir_us;
	/* They are to be told when it has had a turn. */
	bool waited_for;

	/* --- what the collector is still to be told besides lines --- */

	/* These bytes cannot be read any more; equal: nothing is lost. The pump tells when the
	 * cursor arrives at lost_from, and clears them; what stands in replay before it is shipped
	 * first. Set by follow and discover; a rewind sets them again. */
	uint64_t lost_from, lost_to;
	/* truncated, deleted, refused, limit ... */
	const char *lost_cause;
	/* Of `cut`, when a rewind finds more bytes gone; NULL: truncated. */
	const char *cut_cause;

	/* --- what status shows --- */

	/* Monotonic: since when there is something unacknowledged; 0: there is not. Set by follow
	 * and discover when it grows, cleared by source_commit. */
	int64_t behind_since_ns;
	/* Acknowledged bytes a second, averaged over some 10 s by source_commit. */
	double rate;
	int64_t rate_ns;
	uint64_t lines, dropped;
	/* Since the start, as the collector was told; the cause of the last of these losses, NULL:
	 * none. */
	uint64_t lost_bytes;
	const char *last_loss;
	/* Why this file is not followed (not text, say); NULL: it is. */
	const char *refusal;
	struct log_gate error_gate;

	/* --- from here on for source.c, follow.c, descriptor.c and discover's files only --- */

	struct ladder ladder;
	/* The file is read up to here: cursor.offset and what replay has. */
	uint64_t tail_at;
	/* CRC-64 of the up to FOLLOW_CHECK_BYTES before tail_at. */
	uint64_t tail_hash;
	/* As last seen when the bytes before tail_at were compared. */
	uint64_t sure_size;
	struct source *same_ino, *same_family, *next_touched;
	/* Hash of directory and name, but for rotation suffixes. */
	uint64_t family;
	/* fd is open; in order of use. */
	struct list_node open;
	/* Discover is to look at it. */
	struct list_node noticed;
	/* It was written, as an event said, and not looked at since. */
	struct list_node stirred;
	/* To open it again when its name is not known any more; NULL: none. */
	void *handle;
	/* Of a compressed file that is open. */
	struct zreader *zreader;
	/* Of the input it had before a restart, until it has one again; owned. */
	char *input_name;
	/* Of a compressed file: this one, or the one found by a search; STRAY, COPY: of the file as
	 * it was compared. */
	uint64_t candidate_size;
	/* STRAY, COPY: it was compared last, by the monotonic and by the real clock. */
	int64_t compared_ns, compared_real_ns;
	/* COPY: whose; all 0: that is being found out anew. */
	struct stream_id copy_of;
	/* Real time: its file was first seen; it may be followed, and compared with, since. */
	int64_t created_ns, begun_ns;
	/* So many files are being compared with it, or for it. */
	uint32_t searching;
	/* How many names lead to it; of these an input wants so many. */
	uint32_t names, followed;
	/* The turn in which its last event was taken. */
	uint32_t event;

	bool touched : 1;    /* the registry is to write it */
	bool known : 1;      /* the registry has what does not change with each commit */
	bool recorded : 1;   /* the registry has something of it */
	bool between : 1;    /* it is young enough to have been rotated away unseen */
	bool early : 1;      /* known before the collector's streams came, it may be one of them */
	bool compressed : 1; /* by gzip: offsets are those of its content */
	bool copied : 1;     /* its file is a copy of the one it was read from: it ends with it */
	bool unfinished : 1; /* STRAY, COPY, or without a file: the gzip file is being written */
	bool arrived : 1;    /* COPY: that was so when all that it has had arrived */
	bool carries : 1;    /* compressed from one that nobody has seen, which is not lost then */
	bool searched : 1;   /* without a file: copies of it were looked for */
	bool listed : 1;     /* the collector's list has it */
	bool held : 1;       /* not to be read: its bytes are being compared */
	bool tail_known : 1; /* tail_hash is valid; else the first read asks the ladder */
	bool sniffed : 1;    /* it is text */
	bool in_hole : 1;    /* the cursor came over NUL bytes: further ones belong to them */
	bool closing : 1;    /* nothing more will be written: an unfinished last line may go */
	bool leaving : 1;    /* discover waits for it to be read to the end */
	bool cut : 1;        /* its bytes behind tail_at are gone: truncated or replaced */
};

struct source_table;

/* Everything in the table that follow, discover and the pump need to say to each other goes through
 * these; see the functions' files for who calls what. */
struct source_table *source_table_new(void);
void source_table_free(struct source_table *t); /* with all its sources */

/* Makes a source in state NEW or MISSING, at the end of the table, with cursor and committed at
 * `start`. The strings are copied. Errors: -ENOMEM; -EEXIST: there is one with that id. */
struct source_config {
	struct stream_id id;
	const char *path, *service, *instance;
	uint64_t ino;
	int64_t btime_ns;
	dev_t dev;
	uint64_t start;
	struct input *input; /* NULL: not known yet */
	bool missing;
	bool journal; /* it is a stream of a journal */
};
int source_add(struct source_table *t, const struct source_config *config,
	       struct source **ret) MUST_CHECK;

/* Takes it out of the table and frees it; its descriptor is closed. No batch has chunks of it. */
void source_drop(struct source_table *t, struct source *s);

struct source *source_by_id(const struct source_table *t, const struct stream_id *id);
/* The first of the sources with that inode, the others by ->same_ino; ENDED ones are not among
 * them. */
struct source *source_by_ino(const struct source_table *t, uint64_t ino);
size_t source_count(const struct source_table *t);

/* The streams that ended (agent/files/past.h). */
struct past_list *source_past(struct source_table *t);

/* Errors: -ENOMEM: it keeps the old one. */
int source_set_path(struct source_table *t, struct source *s, const char *path) MUST_CHECK;
/* The file that the source is in now. */
void source_set_file(struct source_table *t, struct source *s, uint64_t ino, int64_t btime_ns,
		     dev_t dev);

/* Is it held to find out whose bytes it has? */
bool source_is_stray(const struct source *s);
/* MISSING, and NEW after that: was it a stray before? */
bool source_was_stray(const struct source *s);

/* Is that one of the diagram's steps? */
bool source_may_move(enum source_state from, enum source_state to);

/* The one place where a state changes. A step that is none of the diagram's is a fault of ours: it
 * is said in the log, and the state stays as it is; with HAUL_STRICT (all builds for tests) the
 * program ends. */
void source_move(struct source_table *t, struct source *s, enum source_state to);

/* Marks that there may be bytes to read; the source queues up behind the others. */
void source_set_ready(struct source_table *t, struct source *s);
/* The source whose turn it is, taken off the queue; NULL: none is ready. Sources in state NEW and
 * MISSING are never given; DRAINED ones are. */
struct source *source_next_ready(struct source_table *t);
bool source_any_ready(const struct source_table *t);

/* Its position changed, and the registry is to write that; registry_tick takes them. */
void source_touch(struct source_table *t, struct source *s);
/* So did what does not change with each commit. */
void source_redefine(struct source_table *t, struct source *s);
struct source *source_next_touched(struct source_table *t);
bool source_any_touched(const struct source_table *t);

/* Discover is to look at it at its next turn: it was cut, or what it waited for is acknowledged. */
void source_notice(struct source_table *t, struct source *s);
struct source *source_next_noticed(struct source_table *t);
bool source_any_noticed(const struct source_table *t);

/* An event said that it was written, and its turn will come at once: reading it tells what a look
 * would. follow takes it off when it has read the file; the others discover looks at when the turns
 * are over. */
void source_stir(struct source_table *t, struct source *s);
struct source *source_next_stirred(struct source_table *t);

/* The files of the same directory that have its name but for rotation suffixes, by ->same_family;
 * itself among them. */
struct source *source_family(const struct source_table *t, const struct source *s);

/* Walks all files. */
struct source *source_first(const struct source_table *t);
struct source *source_after(const struct source_table *t, const struct source *s);

/* Walks the streams of journals. */
struct source *source_first_stream(const struct source_table *t);
struct source *source_after_stream(const struct source_table *t, const struct source *s);

/* Walks both. */
struct source *source_first_of_all(const struct source_table *t);
struct source *source_after_of_all(const struct source_table *t, const struct source *s);

/* --- the collector's word (by the uplink, through the agent) --- */

/* A chunk of it up to `to` is durable (also an earlier one than the cursor). Adds a rung to its
 * ladder; the registry is told. */
void source_commit(struct source_table *t, struct source *s, const struct position *to);

/* The bytes between committed and cursor come back: `raw` (what batches hold of it from
 * committed.offset on, in order, up to the first hole or loss) is read again before the file; the
 * cursor goes back to committed. What was in replay already follows it. -ENOMEM: nothing has
 * changed; an empty `raw` never fails. */
int source_rewind(struct source_table *t, struct source *s, struct span raw) MUST_CHECK;

/* The collector stands elsewhere than was believed, and the bytes up to there have been compared:
 * both positions are set; of replay stays what lies behind. No batch has chunks of it. */
void source_place(struct source_table *t, struct source *s, const struct position *at);

#endif
