/* The inside of discover, for its files only:
 *
 *     discover.c   the object, its turns
 *     events.c     what events say
 *     scan.c       directories: which are watched, what is in them
 *     scan_leave.c directories that are gone or moved away
 *     look.c       what a name leads to: sources found, sources made
 *     names.c      which names lead to a source, and the state that they say
 *     grown.c      what has become of its file
 *     cut.c        files that were truncated or are gone
 *     rest.c       where what was not read of them goes on
 *     stray.c      files with the names of rotated ones: rests, copies, or logs of their own
 *     match.c      the bytes of a file against those of a stream
 *     leave.c      files that go: read to the end, then let go
 *     unseen.c     files that came and went before they could be opened
 *     deleted.c    deleted files that are held open, and how much of them
 *     rows.c       the collector's streams, as they come
 *     settle.c     ... against the files that are here
 *     begin.c      where a file without a stream begins
 */
#ifndef HAUL_AGENT_DISCOVER_INSIDE_H
#define HAUL_AGENT_DISCOVER_INSIDE_H

#include "agent/files/discover.h"
#include "agent/files/identity.h"
#include "agent/files/mounts.h"
#include "agent/files/past.h"
#include "agent/files/probe.h"
#include "agent/files/tree.h"
#include "agent/files/wanted.h"
#include "agent/files/watch.h"

#define DISCOVER_QUIET_NS                                                                          \
	(60 * INT64_C(1000000000)) /* no growth for so long: nobody writes any more */

/* A name that was moved away in this turn or the last: what comes to its new name is what it
 * was. */
struct move {
	uint32_t cookie; /* 0: only a trace, found by its path */
	uint32_t turn;
	char *path;
	struct input *input; /* that wanted it */
	char *origin;        /* the name under which it was wanted */
	bool known;          /* it had a source */
};

/* Where a file comes from that no input names by itself. */
struct origin {
	struct input *input;
	const char *path; /* the name under which it was wanted */
	bool known;       /* that had a source: what is unknown may be another file */
};

struct sources { /* a growing array of borrowed pointers */
	struct source **items;
	size_t n, capacity;
};

/* A stream, as the collector has it. */
struct row {
	struct stream_id id;
	char *texts; /* path, service, instance: three C strings; owned */
	const char *path, *service, *instance;
	uint64_t ino;
	int64_t btime_ns;
	uint64_t start;
	struct position at;
	bool by_path; /* the file that may be it has only its path */
};

struct check; /* settle.c */

/* One file compared with one stream. */
struct comparison {
	struct comparison *next;
	struct source *owner; /* whose bytes it may have; NULL: those of `past` */
	struct past past;
	bool of_past;
	struct source *file; /* the stray that is in the file; NULL: it is none of the table's */
	char *path;
	struct identity id;
	int fd;
	uint64_t base;      /* the bytes that it is compared with: */
	struct rung *rungs; /* ... a copy of the ladder as it was */
	size_t n;
	struct probe *probe; /* NULL: it could not be read yet */
	int64_t until_ns;    /* tried so long; 0: it could be read so far */
	uint32_t round;      /* in which it was stepped last */
	bool over;           /* one of the two is spoken for, or gone */
};

/* A file that was made, as an event says. */
struct birth {
	char *path;      /* where it is, as the events say; owned */
	char *origin;    /* where it was made, which an input wants; owned */
	uint64_t family; /* of its name: rotation_family */
	uint32_t cookie; /* it is on its way from path to another name; 0: it is not */
	bool written;
	/* it was deleted beside a younger one of its name and .gz, which carries what it had */
	bool packed;
	bool carries; /* that one */
	bool absent;  /* all events had been taken once, and it was not there */
	bool over;    /* no name that can be seen leads to it any more */
};

/* A file that a look has found, and whose birth is not accounted for. */
struct found {
	struct stream_id id; /* its source's, which may be gone */
	uint64_t family;
	bool waited; /* all events had been taken once since */
};

struct unseen_files { /* of one log */
	char *origin; /* owned */
	uint64_t n;
};

struct unseen {
	struct birth *births;
	size_t n_births;
	struct found *found;
	size_t n_found;
	struct unseen_files *files; /* lost, and not yet recorded */
	size_t n_files;
	int64_t due_ns; /* they are to be recorded */
};

struct discover {
	struct wanted wanted;
	uint64_t max_open_files;
	/* what was written last before that (real time) is older than the collector keeps; 0:
	 * nothing is */
	int64_t oldest_ns;
	struct source_table *table;
	struct registry *registry;
	struct watch *watch; /* NULL: there is none, everything is polled */
	struct tree tree;
	struct mounts mounts;

	/* this turn */
	uint32_t turn;
	int64_t now_ns;
	struct move *moves;
	size_t n_moves;
	struct sources nameless; /* lost their last name */
	bool overflow;
	bool heard;    /* there were events */
	bool restless; /* there were other events than that files were written */

	/* when */
	int64_t taken_ns; /* events were taken last */
	int64_t cadence_ns;
	int64_t rescan_due_ns, poll_due_ns, leave_due_ns, check_due_ns;
	bool scanning;
	uint32_t scan;         /* number of the rescan under way or done last */
	int64_t begun_real_ns; /* the first look at everything began */
	int64_t since_real_ns; /* files that are younger may have come unseen */

	int64_t hurry_until_ns; /* files come, or change their names: the cadence is a short one */

	struct sources leaving;
	struct unseen unseen;

	/* the collector's streams */
	bool settled_before; /* this is not the first list since the start */
	bool settled;        /* they have been listed once: new files are new streams */
	bool first_start;
	bool strangers; /* among them are some that the registry should know, and does not */
	struct row *rows;
	size_t n_rows, rows_capacity;
	size_t rows_seen;
	struct check *checks;

	/* copies */
	struct comparison *comparing;
	struct comparison *matches; /* ... that have come out, and wait for others to do so */
	uint32_t match_round;
	int64_t match_due_ns, strays_due_ns, missing_due_ns;

	uint64_t max_deleted;
	int64_t deleted_due_ns;

	struct log_gate watch_gate, memory_gate, deleted_gate, unseen_gate;
	struct discover_counters counters;
};

/* --- events.c --- */

/* Takes one; `user` is the struct discover. */
void events_take(void *user, const struct watch_event *e);
/* Moves whose second half has not come for a while, or all of them, are over. */
void events_forget_moves(struct discover *d, bool all);

/* --- scan.c --- */

/* Everything from the roots of the globs on: new directories are watched, known ones compared. */
void scan_all(struct discover *d);
/* A directory is there: watches it, when it may lead to something, and looks at what is in it. */
void scan_enter(struct discover *d, const char *path);
/* A directory for names that are known already (the target of a symbolic link, rotated_dir). */
struct dir *scan_enter_unlisted(struct discover *d, const char *path);
/* The directory in which rotated versions of what is in `dir` are put; false: beside them. PATH_MAX
 * bytes. */
bool scan_rotated_dir(char *dst, const char *dir, const char *rotated_dir);
void scan_enter_rotated(struct discover *d, const char *dir, const char *rotated_dir);
/* What is in it now, against what was known. */
void scan_dir(struct discover *d, struct dir *dir);
void scan_polled(struct discover *d);
/* The directory of that path came or went: does the one above it wait for it? */
void scan_above(struct discover *d, const char *path);
/* The directories in which sources were seen last that are missing now. */
void scan_missing(struct discover *d);
/* Why nothing in this directory may be followed: a static text; NULL: it may. */
const char *scan_refusal(const struct wanted *w, struct mounts *m, const char *path);
/* Is the path on a network file system, whose files this side must not even look at? */
bool scan_is_off_limits(struct discover *d, const char *path);

/* Joins into PATH_MAX bytes; false: too long. */
bool scan_join(char *dst, const struct dir *dir, const char *name);

/* --- scan_leave.c --- */

/* The directory and all below are gone, or moved to where no path is known. */
void scan_leave(struct discover *d, const char *path);
void scan_moved_away(struct discover *d, const char *path);
/* Drops the directory; its names are lost. */
void scan_drop(struct discover *d, struct dir *dir);

/* --- look.c --- */

/* The name may lead to something else than before. `origin` (may be NULL): it is what was moved
 * away from there. */
void look_at(struct discover *d, struct dir *dir, const char *text, const struct origin *origin);
/* The name's directory has another path, or inputs have changed: what is the name to its source
 * now? */
void look_again(struct discover *d, struct name *n);
/* Makes a source for a file; NULL: memory is short (said). */
struct source *look_make(struct discover *d, const char *path, const struct identity *id,
			 struct input *input, const char *origin_path);
/* The input that had this source before the restart, or that wants its path; NULL: none. */
struct input *look_input(const struct discover *d, const struct source *s);
/* The live source in that file; NULL: none. */
struct source *look_find(const struct discover *d, const struct identity *id);

/* Sources get a name's input before anything of them is shipped; later it stays. */
void look_take_input(struct discover *d, struct source *s, struct input *want, const char *path);

/* --- names.c --- */

/* The name leads to that source. */
void names_link(struct discover *d, struct name *n, struct source *s, struct input *want,
		const struct origin *origin, const struct identity *id);
void names_unlink(struct discover *d, struct name *n);
/* The name leads nowhere any more. */
void names_lost(struct discover *d, struct name *n);
/* The name leads to its source still, but it is not one that an input wants. */
void names_unfollow(struct discover *d, struct name *n);
/* Those that lost their last name in this turn: have they another one somewhere? */
void names_check_lost(struct discover *d);
/* Its file, by a name that it has already, is there again: it is MISSING no more. */
void names_found(struct discover *d, struct source *s, const struct identity *id);
/* A source in state NEW begins: it gets the state that its names say. */
void names_begin(struct discover *d, struct source *s);
/* All names of one source go over to another. */
void names_hand_over(struct discover *d, struct source *from, struct source *to);
/* Takes the source out of everything; it is freed at the end of the turn. */
void names_drop(struct discover *d, struct source *s);

/* --- grown.c --- */

/* Opens a file at once: it may have no name a moment later. */
void grown_open(struct discover *d, struct source *s, const char *path);
/* The file of a source has changed, as `id` has it. */
void grown_look(struct discover *d, struct source *s, const struct identity *id);
/* Its first bytes, while nothing has been read of it. */
void grown_remember_head(struct discover *d, struct source *s);
/* An event said that it was written. */
void grown_event(struct discover *d, struct source *s);
/* Looks at those of them that have not been read since. */
void grown_stirred(struct discover *d);

/* --- cut.c --- */

/* The source's file is not what it was: it ends here, and a new one begins in its place. */
void cut_source(struct discover *d, struct source *s);
/* The first half of that: source and file part, and the file has a source of its own. False: memory
 * is short, nothing was done. */
bool cut_part(struct discover *d, struct source *s);
/* No file was found to go on in, or one was. */
void cut_search_over(struct discover *d, struct source *s, bool found);
/* Was it seen before the collector's streams came, and cut before anything was read of it? Then it
 * may be one of those, and is no stream of its own. */
bool cut_is_nobodys(const struct source *s);
/* Are streams of its family looked for that have begun? */
bool cut_others_search(const struct discover *d, const struct source *s);
/* Sources without a file: given up when it is time. */
void cut_missing(struct discover *d);

/* --- rest.c --- */

/* Has the source lost its file, so that its rest may be in another? */
bool rest_is_wanted(const struct source *s);
/* Looks for it. Ends in cut_search_over, at once or later. */
void rest_search(struct discover *d, struct source *s);
/* The stream `owner` goes on in the comparison's file, whose descriptor and probe it takes over. */
void rest_take(struct discover *d, struct comparison *c);
/* A file that may be it, so large by now, is being written. */
void rest_may_come(struct discover *d, struct source *s, uint64_t size);
/* Was the file made after that (real time)? */
bool rest_made_later(const struct identity *id, int64_t than_ns);

/* --- stray.c --- */

/* Is the name in `dir`, which no input names, one that a name was rotated to that an input wants?
 * `path` has PATH_MAX bytes for what `ret` says. */
bool stray_origin(const struct discover *d, const struct dir *dir, const char *text,
		  struct origin *ret, char *path);
/* Was the file made and written since everything was seen last? */
bool stray_is_young(const struct discover *d, const struct identity *id);
/* A new file becomes a STRAY, if its name is that of a rotated one. */
bool stray_hold(struct discover *d, struct source *file);
/* The file that it is a copy of has no name any more: it is known by the copy's, which tells its
 * place among the others. */
void stray_names_owner(struct discover *d, const struct source *file);
/* The comparison's file begins with what a stream has that ended. */
void stray_is_of_past(struct discover *d, struct comparison *c);
/* It was a stray when the agent ended, and its file is gone: do others have its bytes? */
bool stray_was_copy(struct discover *d, const struct source *file);
/* Does the other one's file begin with what is remembered of the source's? */
bool stray_begins_alike(struct discover *d, const struct source *s, struct source *other);
/* Does its file begin with what is remembered of another one of the same log? */
bool stray_is_like_another(struct discover *d, struct source *file);
/* Decides about those that have been compared; sets strays_due_ns. */
void stray_step(struct discover *d);

/* --- match.c --- */

/* Begins; what comes of it is told to the two (rest_take, COPY, ->unfinished), and when the last
 * one is over to cut_search_over and stray_step. `file` may be NULL. */
void match_stream(struct discover *d, struct source *owner, const char *path, struct source *file);
void match_past(struct discover *d, const struct past *p, struct source *file);
/* Goes on; sets match_due_ns. */
void match_step(struct discover *d);
/* None decides about the source any more. */
void match_forget(struct discover *d, struct source *s);
void match_free(struct discover *d);
/* How much content a file has, compressed or not; 0: that cannot be told. */
uint64_t match_content_size(int fd, const struct identity *id);

/* --- leave.c --- */

/* It goes when it is read to the end. */
void leave_add(struct discover *d, struct source *s);
void leave_remove(struct discover *d, struct source *s);
/* Looks at all that leave; sets leave_due_ns. */
void leave_check(struct discover *d);
/* What discover was asked to look at. */
void leave_noticed(struct discover *d);
/* Nothing is known of it any more: nothing will ever come. */
void leave_finish(struct discover *d, struct source *s);

/* --- deleted.c --- */

/* Disk space of deleted files that are held open. */
uint64_t deleted_bytes(const struct discover *d);
/* Looks how much that is, and gives up what is beyond max_deleted; sets deleted_due_ns. */
void deleted_check(struct discover *d);

/* --- unseen.c --- */

void unseen_free(struct discover *d);
/* Events, in their order: a file was made under a name that an input wants; `written`: it was when
 * it came. */
void unseen_made(struct discover *d, const char *path, bool written);
void unseen_written(struct discover *d, const char *path);
void unseen_gone(struct discover *d, const char *path);
void unseen_moves(struct discover *d, const char *path, uint32_t cookie);
/* Returns whether it is a file of whose making it was told. */
bool unseen_moved(struct discover *d, const char *path, uint32_t cookie);
/* A look has found a file that was not known. */
void unseen_found(struct discover *d, const struct source *s);
/* All events were taken. */
void unseen_settle(struct discover *d);
/* Events are missing. */
void unseen_overflow(struct discover *d);
/* A compressed file is a log of its own, which nobody saw before. */
void unseen_turned_up(struct discover *d, const struct source *file);
/* One of the log of that path was found, and gone before it could be opened. */
void unseen_lose(struct discover *d, const char *origin);
/* Makes the streams that tell of what is lost; sets due_ns. */
void unseen_record(struct discover *d);

/* --- rows.c --- */

/* All rows go. */
void rows_drop(struct discover *d);

/* --- begin.c --- */

/* A file without a stream begins one, at the place that its input says; begin_fresh: unless it is a
 * copy. */
void begin_fresh(struct discover *d, struct source *s);
void begin_stream(struct discover *d, struct source *s);
/* All that were there at the very first start have begun: says what was skipped. */
void begin_say_skipped(const struct discover *d);

/* --- settle.c --- */

void settle_free(struct discover *d);
/* The source is about to be dropped. */
void settle_forget(struct discover *d, const struct source *s);
/* Compares file contents, a piece at a time; sets check_due_ns. */
void settle_step(struct discover *d);

/* --- discover.c --- */

bool sources_add(struct sources *v, struct source *s);
void sources_remove(struct sources *v, const struct source *s);
void discover_short_of_memory(struct discover *d);

#endif
