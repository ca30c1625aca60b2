/* A host's files: see host.h. */
#include "tests/lib/host.h"

#include "common/file.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *host_path(const struct host *h, const char *name)
{
	static char paths[4][600];
	static unsigned next;
	char *path = paths[next++ % 4];
	(void)snprintf(path, sizeof(paths[0]), "%s/%s", h->dir, name);
	return path;
}

static void write_to(const struct host *h, const char *name, const char *text, int flags)
{
	int fd = open(host_path(h, name), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
	ck_assert_msg(fd >= 0, "%s: %s", name, strerror(errno));
	ck_assert_int_eq(file_write_all(fd, span_of(text)), 0);
	close(fd);
}

void host_write(const struct host *h, const char *name, const char *text)
{
	write_to(h, name, text, O_EXCL);
}

void host_append(const struct host *h, const char *name, const char *text)
{
	write_to(h, name, text, O_APPEND);
}

void host_truncate(const struct host *h, const char *name, uint64_t size)
{
	ck_assert_int_eq(truncate(host_path(h, name), (off_t)size), 0);
}

void host_copy(const struct host *h, const char *from, const char *to)
{
	char command[600];
	(void)snprintf(command, sizeof(command), "cp %s %s", from, to);
	host_shell(h, command);
}

void host_rename(const struct host *h, const char *from, const char *to)
{
	ck_assert_int_eq(rename(host_path(h, from), host_path(h, to)), 0);
}

void host_unlink(const struct host *h, const char *name)
{
	ck_assert_int_eq(unlink(host_path(h, name)), 0);
}

void host_mkdir(const struct host *h, const char *name)
{
	ck_assert_int_eq(file_make_dirs(host_path(h, name), 0755), 0);
}

void host_shell(const struct host *h, const char *command)
{
	char text[1200];
	(void)snprintf(text, sizeof(text), "cd %s && { %s; }", h->dir, command);
	ck_assert_msg(system(text) == 0, "%s", text);
}

void host_numbers(const struct host *h, const char *name, const char *prefix, unsigned first,
		  unsigned n)
{
	struct buf text = BUF_EMPTY;
	for (unsigned i = first; i < first + n; i++)
		ck_assert_int_eq(buf_printf(&text, "%s %u\n", prefix, i), 0);
	const char *s = buf_cstr(&text);
	host_append(h, name, s);
	buf_free(&text);
}
