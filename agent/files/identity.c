/* Identities: see identity.h. Called by discover's files and follow.
 *
 * A device or a FIFO under a glob must do no harm: it is never opened, because the path is looked
 * at first; what is exchanged between the look and the opening is found out by the look at the
 * descriptor, and O_NONBLOCK keeps the opening of a FIFO from waiting. */
#include "agent/files/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static _Thread_local int sync_flag = AT_STATX_DONT_SYNC;

void identity_ask_server(void)
{
	sync_flag = AT_STATX_SYNC_AS_STAT;
}

static int look(int dirfd, const char *path, int flags, struct identity *ret)
{
	struct statx x;
	if (statx(dirfd, path, flags | sync_flag, STATX_BASIC_STATS | STATX_BTIME, &x) < 0)
		return -errno;
	*ret = (struct identity){
		.ino = x.stx_ino,
		.dev = makedev(x.stx_dev_major, x.stx_dev_minor),
		.mode = x.stx_mode,
		.nlink = x.stx_nlink,
		.size = x.stx_size,
		.disk_bytes = x.stx_blocks * 512,
		.mtime_ns = x.stx_mtime.tv_sec * INT64_C(1000000000) + x.stx_mtime.tv_nsec,
	};
	if (x.stx_mask & STATX_BTIME)
		ret->btime_ns = x.stx_btime.tv_sec * INT64_C(1000000000) + x.stx_btime.tv_nsec;
	return 0;
}

int identity_of_entry(int dirfd, const char *name, bool follow, struct identity *ret)
{
	return look(dirfd, name, follow ? 0 : AT_SYMLINK_NOFOLLOW, ret);
}

int identity_of_path(const char *path, bool follow, struct identity *ret)
{
	return identity_of_entry(AT_FDCWD, path, follow, ret);
}

int identity_of_fd(int fd, struct identity *ret)
{
	return look(fd, "", AT_EMPTY_PATH, ret);
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->btime_ns == b->btime_ns;
}

int identity_open(const char *path, struct identity *ret, int *ret_fd)
{
	struct identity before = {0}, opened = {0};
	int r = identity_of_path(path, true, &before);
	if (r < 0)
		return r;
	if (!S_ISREG(before.mode))
		return -EINVAL;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = identity_of_fd(fd, &opened);
	if (r == 0 && !S_ISREG(opened.mode))
		r = -EINVAL;
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret = opened;
	*ret_fd = fd;
	return 0;
}

/* Those that linux/magic.h leaves out. */
#define MAGIC_CIFS   0xff534d42
#define MAGIC_SMB2   0xfe534d42
#define MAGIC_CEPH   0x00c36400
#define MAGIC_GFS2   0x01161970
#define MAGIC_LUSTRE 0x0bd00bd0
#define MAGIC_GPFS   0x47504653
#define MAGIC_BEEGFS 0x19830326
#define MAGIC_VBOX   0x786f4256
#define MAGIC_VMHGFS 0xbacbacbc

static const struct {
	uint32_t magic;
	enum identity_place place;
	const char *name;
} kinds[] = {
	{NFS_SUPER_MAGIC, PLACE_REMOTE, "NFS"},   {MAGIC_CIFS, PLACE_REMOTE, "CIFS"},
	{MAGIC_SMB2, PLACE_REMOTE, "SMB"},        {SMB_SUPER_MAGIC, PLACE_REMOTE, "SMB"},
	{MAGIC_CEPH, PLACE_REMOTE, "Ceph"},       {MAGIC_GFS2, PLACE_REMOTE, "GFS2"},
	{MAGIC_LUSTRE, PLACE_REMOTE, "Lustre"},   {MAGIC_GPFS, PLACE_REMOTE, "GPFS"},
	{MAGIC_BEEGFS, PLACE_REMOTE, "BeeGFS"},   {AFS_SUPER_MAGIC, PLACE_REMOTE, "AFS"},
	{CODA_SUPER_MAGIC, PLACE_REMOTE, "Coda"}, {V9FS_MAGIC, PLACE_BLIND, "9p"},
	{FUSE_SUPER_MAGIC, PLACE_BLIND, "FUSE"},  {MAGIC_VBOX, PLACE_BLIND, "vboxsf"},
	{MAGIC_VMHGFS, PLACE_BLIND, "vmhgfs"},    {PROC_SUPER_MAGIC, PLACE_BLIND, "proc"},
	{SYSFS_MAGIC, PLACE_BLIND, "sysfs"},
};

int identity_place(const char *path, enum identity_place *ret, const char **ret_name)
{
	struct statfs f;
	if (statfs(path, &f) < 0)
		return -errno;
	*ret = PLACE_LOCAL;
	*ret_name = "local";
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].magic == (uint32_t)f.f_type) {
			*ret = kinds[i].place;
			*ret_name = kinds[i].name;
		}
	}
	return 0;
}

bool identity_is_own_output(const struct identity *id)
{
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		struct identity own = {0};
		if (identity_of_fd(fd, &own) == 0 && S_ISREG(own.mode) && identity_equal(id, &own))
			return true;
	}
	return false;
}
