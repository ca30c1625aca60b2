/* Mount points of network file systems: see mounts.h. Used by discover's files and explain before
 * they look at a path for the first time: statx and statfs on a mount whose server is away do not
 * return.
 *
 * A path that leads there by a symbolic link in its middle is not recognised. A local file system
 * that is mounted below a network one is taken for remote: to get there one has to go through the
 * other. */
#include "agent/files/mounts.h"

#include "common/file.h"
#include "common/num.h"

#include <fcntl.h>

#define LIST_MAX    ((size_t)64 * 1024 * 1024)
#define READ_EVERY  NUM_SEC_NS
#define MOUNT_POINT 4 /* the fifth field */

void mounts_free(struct mounts *m)
{
	buf_free(&m->remote);
	m->read_ns = 0;
}

static bool is_network_type(struct span type)
{
	static const char *const types[] = {
		"nfs",       "nfs4",        "cifs",        "smb3",       "smbfs",
		"ceph",      "afs",         "coda",        "gfs2",       "lustre",
		"gpfs",      "beegfs",      "ncpfs",       "fuse.sshfs", "fuse.glusterfs",
		"fuse.s3fs", "fuse.rclone", "fuse.cephfs", "fuse.davfs", "fuse.curlftpfs",
		"davfs",     "orangefs",
	};
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (span_is(type, types[i]))
			return true;
	return false;
}

static struct span take_field(struct span *line)
{
	struct span field = span_first(*line, span_find(*line, ' '));
	*line = span_from(*line, field.len < line->len ? field.len + 1 : line->len);
	return field;
}

/* A blank, a tab, an LF or a backslash stands as three octal digits. */
static int add_path(struct buf *out, struct span field)
{
	int r = 0;
	for (size_t i = 0; i < field.len && r == 0; i++) {
		const char *c = field.ptr + i;
		if (*c == '\\' && i + 3 < field.len) {
			r = buf_add_char(
				out, (char)((c[1] - '0') * 64 + (c[2] - '0') * 8 + (c[3] - '0')));
			i += 3;
		} else {
			r = buf_add_char(out, *c);
		}
	}
	return r == 0 ? buf_add_char(out, '\0') : r;
}

/* "36 35 98:0 /root /mount/point options [more...] - type source options" */
static int take_line(struct buf *out, struct span line)
{
	struct span point = {NULL, 0};
	for (int i = 0; i <= MOUNT_POINT; i++)
		point = take_field(&line);
	while (line.len && !span_is(take_field(&line), "-"))
		;
	return point.len && is_network_type(take_field(&line)) ? add_path(out, point) : 0;
}

int mounts_take(struct mounts *m, struct span list)
{
	struct buf remote = BUF_EMPTY;
	while (list.len) {
		struct span line = span_first(list, span_find(list, '\n'));
		int r = take_line(&remote, line);
		if (r < 0) {
			buf_free(&remote);
			return r;
		}
		list = span_from(list, line.len < list.len ? line.len + 1 : line.len);
	}
	buf_free(&m->remote);
	m->remote = remote;
	return 0;
}

static void look(struct mounts *m, int64_t now_ns)
{
	struct buf list = BUF_EMPTY;
	if (m->read_ns && now_ns - m->read_ns < READ_EVERY)
		return;
	m->read_ns = now_ns ? now_ns : 1;
	if (file_read(AT_FDCWD, "/proc/self/mountinfo", LIST_MAX, &list) >= 0 &&
	    mounts_take(m, buf_span(&list)) < 0)
		m->read_ns = 0; /* memory is short: again at the next question */
	buf_free(&list);
}

bool mounts_is_remote(struct mounts *m, const char *path, int64_t now_ns)
{
	look(m, now_ns);
	for (size_t at = 0; at < m->remote.len;) {
		const char *point = m->remote.ptr + at;
		size_t n = strlen(point);
		if (strncmp(path, point, n) == 0 && (path[n] == '\0' || path[n] == '/'))
			return true;
		at += n + 1;
	}
	return false;
}
