/* One file against the ledger: see soundness.h. Called by verify_files.c, by any thread.
 *
 * The ledger's row may be older than the file: a live one has grown, was closed or sealed since. A
 * segment keeps its number and its bytes through all that, so it is looked for under every name
 * that it can have, and compared up to the length that the ledger has. */
#include "collector/query/soundness.h"

#include "collector/store/sealed.h"
#include "common/crc64.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

void sound_take(struct sound *s, const struct account_segment *segment)
{
	*s = (struct sound){.day = segment->day, .segment = *segment};
	(void)snprintf(s->service, sizeof(s->service), "%.*s", (int)segment->service.len,
		       segment->service.ptr);
	(void)snprintf(s->host, sizeof(s->host), "%.*s", (int)segment->host.len, segment->host.ptr);
	s->segment.service = span_of(s->service);
	s->segment.host = span_of(s->host);
	s->form = segment->state == ACCOUNT_LIVE     ? SEGMENT_LIVE
		  : segment->state == ACCOUNT_SEALED ? SEGMENT_ZSTD
						     : SEGMENT_CLOSED;
}

void sound_path(const struct sound *s, char ret[SEGMENT_PATH_MAX])
{
	const struct segment_name name = {.day = s->day,
					  .service = span_of(s->service),
					  .host = span_of(s->host),
					  .number = s->segment.number,
					  .form = s->form};
	(void)segment_name_path(ret, &name);
}

/* --- opening --- */

static int open_form(struct sound *s, int archive_fd, enum segment_form form, struct stat *st)
{
	char path[SEGMENT_PATH_MAX];
	enum segment_form wanted = s->form;
	s->form = form;
	sound_path(s, path);
	int fd = openat(archive_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	int r = fd >= 0 ? -EINVAL : errno == ENOTDIR ? -ENOENT : -errno;
	file_close(&fd);
	s->form = wanted;
	return r;
}

/* Closed or sealed. */
static int open_numbered(struct sound *s, int archive_fd, struct stat *st)
{
	static const enum segment_form sealed_first[] = {SEGMENT_ZSTD, SEGMENT_GZIP,
							 SEGMENT_CLOSED};
	static const enum segment_form plain_first[] = {SEGMENT_CLOSED, SEGMENT_ZSTD, SEGMENT_GZIP,
							/* while that went on */ SEGMENT_ZSTD};
	bool sealed = s->segment.state == ACCOUNT_SEALED;
	const enum segment_form *forms = sealed ? sealed_first : plain_first;
	size_t n = sealed ? 3 : 4;
	int fd = -ENOENT;
	for (size_t i = 0; fd == -ENOENT && i < n; i++)
		fd = open_form(s, archive_fd, forms[i], st);
	return fd;
}

static int open_segment(struct sound *s, int archive_fd, struct stat *st)
{
	if (s->segment.state != ACCOUNT_LIVE)
		return open_numbered(s, archive_fd, st);
	int live = open_form(s, archive_fd, SEGMENT_LIVE, st);
	if (live == -ENOENT || (live >= 0 && st->st_ino != s->segment.ino)) {
		struct stat other;
		int fd = open_numbered(s, archive_fd, &other);
		if (fd >= 0) {
			file_close(&live);
			*st = other;
			return fd;
		}
		/* Then its inode may be new because the archive was copied: the bytes decide. */
		s->form = SEGMENT_LIVE;
	}
	return live;
}

/* --- reading --- */

struct reading {
	uint64_t want;  /* bytes that the checksum covers */
	uint64_t bytes; /* uncompressed, so far */
	uint64_t crc;   /* of the first `want` of them */
	uint64_t at;    /* in the file: behind the last whole block */
	const atomic_bool *stop;
	atomic_uint_fast64_t *read_bytes;
};

static int sum_block(void *user, const struct sealed_block *block)
{
	struct reading *r = user;
	uint64_t left = r->want > r->bytes ? r->want - r->bytes : 0;
	size_t take = block->plain.len < left ? block->plain.len : (size_t)left;
	if (take)
		r->crc = crc64_add(r->crc, block->plain.ptr, take);
	r->bytes += block->plain.len;
	r->at = block->offset + block->length;
	atomic_fetch_add(r->read_bytes, block->length);
	return atomic_load(r->stop) ? -ECANCELED : 0;
}

static enum soundness judge(const struct sound *s, const struct reading *r)
{
	const struct account_segment *seg = &s->segment;
	if (!seg->crc_known)
		return r->bytes < seg->length && s->form == SEGMENT_LIVE ? SOUND_SHORT
									 : SOUND_UNCHECKED;
	if (r->bytes < seg->length)
		return SOUND_SHORT;
	if (r->crc != seg->crc)
		return SOUND_DIFFERS;
	/* What a live file has gained is the collector's. */
	return r->bytes > seg->length && s->form != SEGMENT_LIVE && seg->state != ACCOUNT_LIVE
		       ? SOUND_GROWN
		       : SOUND;
}

static int read_segment(struct sound *s, int fd, const atomic_bool *stop,
			atomic_uint_fast64_t *read_bytes)
{
	struct reading reading = {.want = s->segment.length,
				  .crc = CRC64_EMPTY,
				  .stop = stop,
				  .read_bytes = read_bytes};
	uint64_t size = s->bytes;
	if (s->form == SEGMENT_LIVE && size > s->segment.length)
		size = s->segment.length;
	int r = sealed_walk(fd, s->form, size, sum_block, &reading);
	s->at = reading.at;
	if (r == 0)
		s->result = judge(s, &reading);
	else if (r == -EBADMSG || r == -EFBIG || r == -EIO) /* or the disk cannot read it */
		s->result = SOUND_DAMAGED;
	else if (r == -ECANCELED || r == -ENOMEM)
		return r;
	else
		s->result = SOUND_UNREADABLE;
	s->error = r;
	return 0;
}

int sound_check(struct sound *s, int archive_fd, const atomic_bool *stop,
		atomic_uint_fast64_t *read_bytes)
{
	struct stat st = {0};
	if (s->segment.state == ACCOUNT_GONE) {
		s->result = SOUND_GONE;
		return 0;
	}
	int fd = open_segment(s, archive_fd, &st);
	if (fd == -ENOMEM)
		return fd;
	if (fd < 0) {
		s->result = fd == -ENOENT ? SOUND_MISSING : SOUND_UNREADABLE;
		s->error = fd;
		return 0;
	}
	s->bytes = (uint64_t)st.st_size;
	int r = read_segment(s, fd, stop, read_bytes);
	file_close(&fd);
	return r;
}

/* --- words --- */

bool sound_is_loss(enum soundness result)
{
	switch (result) {
	case SOUND:
	case SOUND_UNCHECKED:
	case SOUND_GROWN:
	case SOUND_UNKNOWN:
	case SOUND_UNREADABLE: return false;
	case SOUND_MISSING:
	case SOUND_SHORT:
	case SOUND_DAMAGED:
	case SOUND_DIFFERS:
	case SOUND_GONE: return true;
	}
	return true;
}

const char *sound_name(enum soundness result)
{
	static const char *const names[] = {
		[SOUND] = "ok",
		[SOUND_UNCHECKED] = "unchecked",
		[SOUND_GROWN] = "grown",
		[SOUND_MISSING] = "missing",
		[SOUND_SHORT] = "short",
		[SOUND_DAMAGED] = "damaged",
		[SOUND_DIFFERS] = "differs",
		[SOUND_GONE] = "gone",
		[SOUND_UNKNOWN] = "unknown",
		[SOUND_UNREADABLE] = "unreadable",
	};
	return names[result];
}
