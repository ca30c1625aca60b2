/* The reader: see reader.h. Called by the journal.
 *
 * libsystemd maps journal files into memory. When one is cut short under it, the access raises
 * SIGBUS: the handler puts a page of zeros there (as journald itself does), the file is then found
 * damaged, and the journal is opened anew.
 *
 * Failure modes: a damaged file is passed over by libsystemd from the damage on: the gap in the
 * entries' numbers tells (journal.c); a field that cannot be read is left out; everything else is
 * an error of the call. */
#include "agent/journal/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

struct reader {
	sd_journal *journal;
	char *path;
	char **files; /* that a glob has named; NULL: it is no glob */
	int fd;
	bool here; /* the journal stands on an entry that is to be given next */
	bool sees_all;
};

/* --- SIGBUS --- */

static volatile sig_atomic_t reading, spoilt;

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
	(void)context;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *at = (void *)((uintptr_t)info->si_addr / page * page);
	if (!reading || info->si_code != BUS_ADRERR ||
	    mmap(at, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at) {
		struct sigaction usual = {.sa_handler = SIG_DFL};
		(void)sigaction(signal, &usual, NULL); /* the access is tried again */
	}
	spoilt = 1;
}

static void catch_bus_errors(void)
{
	struct sigaction catch = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
	(void)sigaction(SIGBUS, &catch, NULL);
}

/* --- files --- */

static bool is_directory(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void free_files(char **files)
{
	for (char **f = files; f && *f; f++)
		free(*f);
	free(files);
}

/* The files that the glob names now: NULL-terminated; NULL: none, or memory is short. */
static char **find_files(const char *pattern)
{
	glob_t found;
	char **files = NULL;
	if (glob(pattern, 0, NULL, &found) == 0) {
		files = calloc(found.gl_pathc + 1, sizeof(*files));
		for (size_t i = 0; files && i < found.gl_pathc; i++) {
			files[i] = strdup(found.gl_pathv[i]);
			if (!files[i]) {
				free_files(files);
				files = NULL;
			}
		}
	}
	globfree(&found);
	return files;
}

static bool all_readable(const char *pattern)
{
	char **files = find_files(pattern);
	bool all = true;
	for (char **f = files; f && *f; f++)
		all = all && faccessat(AT_FDCWD, *f, R_OK, AT_EACCESS) == 0;
	free_files(files);
	return all;
}

/* Users' journals may be closed to who may read the system's. */
static bool may_read_all(const char *path)
{
	char below[4096], deeper[4096];
	if (!*path)
		return all_readable("/var/log/journal/*/*.journal") &&
		       all_readable("/run/log/journal/*/*.journal");
	if (!is_directory(path))
		return all_readable(path);
	(void)snprintf(below, sizeof(below), "%s/*.journal", path);
	(void)snprintf(deeper, sizeof(deeper), "%s/*/*.journal", path);
	return all_readable(below) && all_readable(deeper);
}

static int open_journal(struct reader *r)
{
	if (!*r->path)
		return sd_journal_open(&r->journal, SD_JOURNAL_LOCAL_ONLY);
	if (is_directory(r->path))
		return sd_journal_open_directory(&r->journal, r->path, 0);
	r->files = find_files(r->path);
	if (!r->files)
		return -ENOENT;
	return sd_journal_open_files(&r->journal, (const char **)(void *)r->files, 0);
}

int reader_open(const char *path, struct reader **ret)
{
	struct reader *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->path = strdup(path);
	catch_bus_errors();
	reading = 1;
	int e = r->path ? open_journal(r) : -ENOMEM;
	if (e >= 0)
		e = r->fd = sd_journal_get_fd(r->journal);
	if (e >= 0)
		e = sd_journal_set_data_threshold(r->journal, READER_MESSAGE_MAX);
	if (e >= 0)
		e = sd_journal_seek_head(r->journal);
	reading = spoilt = 0;
	if (e < 0) {
		reader_close(r);
		return e;
	}
	r->sees_all = may_read_all(path);
	*ret = r;
	return 0;
}

void reader_close(struct reader *r)
{
	if (!r)
		return;
	sd_journal_close(r->journal);
	free_files(r->files);
	free(r->path);
	free(r);
}

int reader_fd(const struct reader *r)
{
	return r->fd;
}

int reader_process(struct reader *r)
{
	reading = 1;
	int e = sd_journal_process(r->journal);
	reading = 0;
	if (e == SD_JOURNAL_INVALIDATE)
		r->sees_all = may_read_all(r->path);
	return e < 0 ? e : 0;
}

bool reader_has_files(const struct reader *r)
{
	return sd_journal_has_persistent_files(r->journal) > 0 ||
	       sd_journal_has_runtime_files(r->journal) > 0 || r->files || *r->path;
}

bool reader_is_stale(const struct reader *r)
{
	if (!r->files)
		return false;
	char **now = find_files(r->path), **a = now, **b = r->files;
	while (a && *a && *b && strcmp(*a, *b) == 0)
		a++, b++;
	bool same = a && !*a && !*b;
	free_files(now);
	return !same;
}

bool reader_sees_all(const struct reader *r)
{
	return r->sees_all;
}

bool reader_is_spoilt(const struct reader *r)
{
	(void)r;
	return spoilt;
}

/* --- entries --- */

static int take_cursor(struct reader *r, struct cursor *ret)
{
	char *text;
	int e = sd_journal_get_cursor(r->journal, &text);
	if (e < 0)
		return e;
	e = cursor_parse(span_of(text), ret);
	free(text);
	return e;
}

static int take_entry(struct reader *r, struct record *ret)
{
	const void *data;
	size_t len;
	record_clear(ret);
	int e = take_cursor(r, &ret->cursor);
	sd_journal_restart_data(r->journal);
	while (e == 0 && sd_journal_enumerate_available_data(r->journal, &data, &len) > 0)
		e = record_take(ret, span_make(data, len));
	ret->cut = ret->message.len + sizeof("MESSAGE") >= READER_MESSAGE_MAX;
	return e;
}

static bool is_damage(int e)
{
	return e == -EBADMSG || e == -ENODATA || e == -EADDRNOTAVAIL || e == -E2BIG;
}

int reader_next(struct reader *r, struct record *ret)
{
	int there, e = 0;
	reading = 1;
	do {
		there = r->here ? 1 : sd_journal_next(r->journal);
		r->here = false;
		if (there > 0)
			e = take_entry(r, ret);
	} while (there > 0 && is_damage(e));
	reading = 0;
	return there <= 0 ? there : e < 0 ? e : 1;
}

int reader_to_head(struct reader *r)
{
	r->here = false;
	return sd_journal_seek_head(r->journal);
}

int reader_to_tail(struct reader *r, struct record *ret_last)
{
	r->here = false;
	reading = 1;
	int e = sd_journal_seek_tail(r->journal);
	if (e >= 0)
		e = sd_journal_previous(r->journal);
	if (e > 0) {
		e = take_entry(r, ret_last);
		e = e < 0 ? e : 1;
	}
	reading = 0;
	return e;
}

int reader_to(struct reader *r, const struct cursor *c, bool *ret_found)
{
	struct buf text = BUF_EMPTY;
	struct cursor at;
	int e = cursor_format(c, &text);
	const char *s = e == 0 ? buf_cstr(&text) : NULL;
	r->here = *ret_found = false;
	reading = 1;
	e = s ? sd_journal_seek_cursor(r->journal, s) : -ENOMEM;
	if (e >= 0)
		e = sd_journal_next(r->journal);
	if (e > 0) {
		e = take_cursor(r, &at);
		*ret_found = e == 0 && cursor_equal(&at, c);
		r->here = e == 0 && !*ret_found;
	}
	reading = 0;
	buf_free(&text);
	return e < 0 ? e : 0;
}
