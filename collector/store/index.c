/* The index for who searches: see index.h. Called by the haul program.
 *
 * A file of parts is mapped up to the length that its head says is durable; it is only ever
 * appended to, and replaced by a new one, never cut, so that the map stays good. A slab is read row
 * by row. index_search.c asks them.
 *
 * A file that vanishes while the directory is read has become a slab or was retired with its
 * segments: the first is looked for, the second is no loss. */
#include "collector/store/index.h"

#include "collector/store/index_inside.h"

#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- files --- */

static void file_free(struct index_file *f)
{
	slab_free(f->slab);
	for (size_t i = 0; i < f->n_parts; i++)
		part_free(&f->parts[i]);
	free(f->parts);
	if (f->map)
		(void)munmap(f->map, f->map_len);
	*f = (struct index_file){0};
}

static int open_slab(int fd, struct index_file *ret)
{
	int r = slab_open(fd, &ret->slab);
	if (r < 0)
		return r;
	ret->first_day = slab_first_day(ret->slab);
	ret->last_day = slab_last_day(ret->slab);
	ret->n_blocks = slab_blocks(ret->slab);
	return 0;
}

static int add_part(struct index_file *f, struct part *p)
{
	if (f->n_parts == f->parts_capacity) {
		size_t capacity = f->parts_capacity ? f->parts_capacity * 2 : 64;
		struct part *parts = realloc(f->parts, capacity * sizeof(*parts));
		if (!parts)
			return -ENOMEM;
		f->parts = parts;
		f->parts_capacity = capacity;
	}
	int32_t day = p->segment.day;
	f->first_day = f->n_parts == 0 || day < f->first_day ? day : f->first_day;
	f->last_day = f->n_parts == 0 || day > f->last_day ? day : f->last_day;
	f->n_blocks += p->segment.n_blocks;
	f->parts[f->n_parts++] = *p;
	return 0;
}

static int open_parts(int fd, struct index_file *ret)
{
	char header[INDEX_PARTS_HEADER];
	struct stat st;
	uint64_t length = 0;
	ssize_t n = file_pread_full(fd, header, sizeof(header), 0);
	int r = n < 0 ? (int)n : n < INDEX_PARTS_HEADER ? -EBADMSG : 0;
	if (r == 0)
		r = index_parts_length(header, &length);
	if (r == 0 && (fstat(fd, &st) < 0 || (uint64_t)st.st_size < length))
		r = -EBADMSG;
	if (r < 0)
		return r;
	char *map = mmap(NULL, (size_t)length, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	ret->map = map;
	ret->map_len = (size_t)length;
	struct span rest = span_from(span_make(map, (size_t)length), INDEX_PARTS_HEADER);
	while (r == 0 && rest.len) {
		struct part p;
		r = part_decode(&rest, false, &p);
		if (r == 0 && (r = add_part(ret, &p)) < 0)
			part_free(&p);
	}
	return r == -EBADMSG ? 0 : r; /* what stands before the damage is good */
}

static int open_file(int dir, uint32_t number, bool slab, struct index_file *ret)
{
	char name[INDEX_FILE_MAX];
	struct stat st;
	index_file_name(name, number, slab);
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	ret->size = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	int r = slab ? open_slab(fd, ret) : open_parts(fd, ret);
	if (!slab)
		file_close(&fd);
	if (r < 0)
		file_free(ret);
	return r;
}

static int add_file(struct index *x, struct index_file *f)
{
	if (x->n == x->capacity) {
		size_t capacity = x->capacity ? x->capacity * 2 : 16;
		struct index_file *files = realloc(x->files, capacity * sizeof(*files));
		if (!files)
			return -ENOMEM;
		x->files = files;
		x->capacity = capacity;
	}
	x->files[x->n++] = *f;
	return 0;
}

size_t index_file_segments(const struct index_file *f)
{
	return f->slab ? slab_segments(f->slab) : f->n_parts;
}

const struct part_segment *index_file_segment(const struct index_file *f, size_t i)
{
	return f->slab ? slab_segment(f->slab, i) : &f->parts[i].segment;
}

/* --- directories --- */

struct listed {
	uint32_t number;
	bool slab;
};

static int by_number(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (int)y->slab - (int)x->slab; /* the slab first */
}

/* The numbers in a directory, ascending, each once. */
static int list_numbers(DIR *dir, struct listed **ret, size_t *ret_n)
{
	struct listed *items = NULL;
	size_t n = 0, capacity = 0;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		struct listed found;
		if (index_parse_file(span_of(e->d_name), &found.number, &found.slab) < 0)
			continue;
		if (n == capacity) {
			capacity = capacity ? capacity * 2 : 64;
			struct listed *more = realloc(items, capacity * sizeof(*more));
			if (!more) {
				free(items);
				return -ENOMEM;
			}
			items = more;
		}
		items[n++] = found;
	}
	if (n)
		qsort(items, n, sizeof(*items), by_number);
	size_t kept = 0;
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || items[kept - 1].number != items[i].number)
			items[kept++] = items[i];
	*ret = items;
	*ret_n = kept;
	return 0;
}

static int read_class(struct index *x, int dir_fd)
{
	DIR *dir = fdopendir(dir_fd);
	if (!dir) {
		file_close(&dir_fd);
		return -ENOMEM;
	}
	struct listed *items = NULL;
	size_t n = 0;
	int r = list_numbers(dir, &items, &n);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct index_file f = {0};
		r = open_file(dirfd(dir), items[i].number, items[i].slab, &f);
		if (r == -ENOENT && !items[i].slab)
			r = open_file(dirfd(dir), items[i].number, true, &f);
		if (r == 0 && (r = add_file(x, &f)) < 0)
			file_free(&f);
		x->damaged += r < 0 && r != -ENOENT && r != -ENOMEM;
		r = r == -ENOMEM ? r : 0;
	}
	free(items);
	(void)closedir(dir);
	return r;
}

static int read_classes(struct index *x, int index_fd)
{
	DIR *dir = fdopendir(index_fd);
	if (!dir) {
		file_close(&index_fd);
		return -ENOMEM;
	}
	int r = 0;
	for (struct dirent *e = readdir(dir); e && r == 0; e = readdir(dir)) {
		if (!index_class_valid(span_of(e->d_name)))
			continue;
		int fd = openat(dirfd(dir), e->d_name,
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			r = read_class(x, fd);
	}
	(void)closedir(dir);
	return r;
}

int index_open(int archive_fd, struct index **ret)
{
	struct index *x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	int fd = openat(archive_fd, INDEX_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? 0 : read_classes(x, fd);
	if (r < 0) {
		index_free(x);
		return r;
	}
	*ret = x;
	return 0;
}

void index_free(struct index *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->n; i++)
		file_free(&x->files[i]);
	free(x->files);
	free(x);
}

struct index_sums index_sums(const struct index *x)
{
	struct index_sums sums = {.files = x->n, .damaged = x->damaged};
	for (size_t i = 0; i < x->n; i++) {
		sums.segments += index_file_segments(&x->files[i]);
		sums.blocks += x->files[i].n_blocks;
		sums.bytes += x->files[i].size;
	}
	return sums;
}
