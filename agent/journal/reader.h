/* Reading a systemd journal: the one file that knows libsystemd. */
#ifndef HAUL_AGENT_READER_H
#define HAUL_AGENT_READER_H

#include "agent/journal/record.h"

/* What is read of one message at most; nothing that logs writes longer ones. */
#define READER_MESSAGE_MAX ((size_t)4 * 1024 * 1024)

struct reader;

/* `path`: "" the journal of this machine; a directory with journal files; or a glob of such files.
 * Which files a glob names is settled here. Errors: -ENOENT and others. */
int reader_open(const char *path, struct reader **ret) MUST_CHECK;
void reader_close(struct reader *r);

/* To be polled for input; then reader_process takes what it tells. Files that journald has deleted
 * are let go of there, so it is called when everything has been read. Errors: the reader is to be
 * opened anew. */
int reader_fd(const struct reader *r);
int reader_process(struct reader *r) MUST_CHECK;

/* Has the reader any file? */
bool reader_has_files(const struct reader *r);
/* Does a glob name other files by now? */
bool reader_is_stale(const struct reader *r);
/* May it read all files of the journal? Else numbers are missing that are not for it. */
bool reader_sees_all(const struct reader *r);
/* Some file was cut short while it was read, and zeros were read instead: open it anew. */
bool reader_is_spoilt(const struct reader *r);

/* The next entry: 1; 0: there is none (yet). Entries that cannot be read are passed over. Errors:
 * -errno. */
int reader_next(struct reader *r, struct record *ret) MUST_CHECK;

/* What reader_next gives is then the first entry; what follows the last one, which is given here
 * (1; 0: there is none); or what follows this one, else, when it is not there any more
 * (*ret_found), what would have. */
int reader_to_head(struct reader *r) MUST_CHECK;
int reader_to_tail(struct reader *r, struct record *ret_last) MUST_CHECK;
int reader_to(struct reader *r, const struct cursor *c, bool *ret_found) MUST_CHECK;

#endif
