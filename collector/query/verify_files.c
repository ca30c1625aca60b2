/* The archive's files: see verify_files.h. Called by verify.c.
 *
 * Threads take rows of the ledger one after another and read their files. What then looks wrong may
 * only be newer than the ledger's copy: a file that retention has taken, one that a checkpoint has
 * closed. So what is missing, short or unknown is looked at again with an account that was opened
 * afterwards, and only what is still wrong is told. A file of hundreds of GiB is one thread's:
 * segments are small.
 *
 * The lock guards the account and all of struct pass but what is set before the threads start. */
#include "collector/query/verify_files.h"

#include "collector/query/scan.h"
#include "collector/query/search.h"
#include "collector/query/segments.h"
#include "common/array.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#define TICK_NS (100 * NUM_MS_NS)

struct pass {
	struct verify_files *v;
	uint64_t total; /* rows */
	atomic_uint_fast64_t read_bytes;
	pthread_mutex_t lock;
	pthread_cond_t over; /* a thread has ended */
	unsigned running;
	bool end; /* no further rows, or an error */
	int error;
	uint64_t done;
	struct sound *suspects;
	size_t n, capacity;
};

/* --- shards --- */

struct shard_name {
	size_t len;
	char text[];
};

static bool same_shard(const void *entry, const void *key)
{
	const struct shard_name *e = entry;
	const struct span *k = key;
	return span_equal(span_make(e->text, e->len), *k);
}

int verify_add_shard(struct map *shards, struct span service, struct span host)
{
	if (!shards->equal)
		map_init(shards, same_shard);
	struct shard_name *name = malloc(sizeof(*name) + service.len + 1 + host.len);
	if (!name)
		return -ENOMEM;
	memcpy(name->text, service.ptr, service.len);
	name->text[service.len] = ' ';
	memcpy(name->text + service.len + 1, host.ptr, host.len);
	name->len = service.len + 1 + host.len;
	struct span key = span_make(name->text, name->len);
	uint64_t hash = map_hash(shards, key);
	int r = map_find(shards, hash, &key) ? 1 : map_add(shards, hash, name);
	if (r)
		free(name);
	return r < 0 ? r : 0;
}

void verify_free_shards(struct map *shards)
{
	size_t cursor = 0;
	for (void *name; (name = map_next(shards, &cursor));)
		free(name);
	map_free(shards);
}

bool verify_shard_chosen(const struct verify_choice *c, const char *service, const char *host)
{
	char text[2 * NAME_MAX_LEN + 2];
	if (!listing_chosen(service, c->names.services, c->names.n_services) ||
	    !listing_chosen(host, c->names.hosts, c->names.n_hosts))
		return false;
	if (!c->shards)
		return true;
	int len = snprintf(text, sizeof(text), "%s %s", service, host);
	struct span key = span_make(text, (size_t)len);
	return c->shards->equal && map_find(c->shards, map_hash(c->shards, key), &key);
}

static bool is_chosen(const struct verify_choice *c, const struct sound *s)
{
	return s->day >= c->first_day && s->day <= c->last_day &&
	       s->segment.state != ACCOUNT_DELETED && verify_shard_chosen(c, s->service, s->host);
}

/* --- telling --- */

static int add_story(struct buf *out, const struct sound *s)
{
	const struct account_segment *seg = &s->segment;
	switch (s->result) {
	case SOUND:
	case SOUND_UNREADABLE: return 0;
	case SOUND_UNCHECKED:
		return buf_add_str(out, "it can be read, but its checksum is not known");
	case SOUND_GROWN:
		return buf_add_str(out,
				   "behind its lines stand others that are not the collector's");
	case SOUND_MISSING:
	case SOUND_GONE:
		return buf_printf(
			out, "somebody has removed it; it had %" PRIu64 " lines, %" PRIu64 " bytes",
			seg->lines, seg->length);
	case SOUND_SHORT:
		return buf_printf(out,
				  "it ends before byte %" PRIu64 " of its %" PRIu64
				  " lines; the file has %" PRIu64 " bytes",
				  seg->length, seg->lines, s->bytes);
	case SOUND_DAMAGED:
		return buf_printf(out,
				  "it cannot be read from byte %" PRIu64 " of %" PRIu64
				  " on; it has %" PRIu64 " lines",
				  s->at, s->bytes, seg->lines);
	case SOUND_DIFFERS:
		return buf_printf(out, "its %" PRIu64 " lines are not as they were written",
				  seg->lines);
	case SOUND_UNKNOWN: return buf_add_str(out, "the ledger does not know it");
	}
	return 0;
}

static int print_text(struct printer *p, const struct sound *s, const char *path)
{
	struct buf *out = &p->out;
	int r = buf_printf(out, "%s %s: ", sound_name(s->result), path);
	if (r == 0)
		r = add_story(out, s);
	return r < 0 ? r : buf_add_char(out, '\n');
}

static int print_json(struct printer *p, const struct sound *s, const char *path)
{
	const struct account_segment *seg = &s->segment;
	struct buf *out = &p->out;
	int r = buf_add_str(out, "{\"type\":\"file\",\"file\":");
	if (r == 0)
		r = json_add_string(out, span_of(path));
	if (r == 0)
		r = buf_printf(out, ",\"result\":\"%s\",\"bytes\":%" PRIu64, sound_name(s->result),
			       s->bytes);
	if (r == 0 && s->result != SOUND_UNKNOWN)
		r = buf_printf(out,
			       ",\"lines\":%" PRIu64 ",\"plain_bytes\":%" PRIu64
			       ",\"cut_bytes\":%" PRIu64,
			       seg->lines, seg->length, seg->cut);
	if (r == 0 && s->result == SOUND_DAMAGED)
		r = buf_printf(out, ",\"damaged_at\":%" PRIu64, s->at);
	return r < 0 ? r : buf_add_str(out, "}\n");
}

static void count(struct verify_sums *sums, const struct sound *s)
{
	sums->files += s->result != SOUND_GONE && s->result != SOUND_MISSING;
	sums->live += s->segment.state == ACCOUNT_LIVE;
	sums->sealed += s->segment.state == ACCOUNT_SEALED;
	sums->bytes += s->bytes;
	sums->unsound += sound_is_loss(s->result);
	sums->unchecked += s->result == SOUND_UNCHECKED;
	sums->grown += s->result == SOUND_GROWN;
	sums->unknown += s->result == SOUND_UNKNOWN;
	sums->cut += s->segment.cut > 0;
	sums->cut_bytes += s->segment.cut;
}

/* It is settled. By one thread at a time. */
static int tell(struct verify_files *v, const struct sound *s)
{
	char path[SEGMENT_PATH_MAX];
	int r = 0;
	sound_path(s, path);
	count(&v->sums, s);
	if (s->result == SOUND_UNREADABLE)
		trouble_tell(v->trouble, "%s: %s; what it holds is not known", path,
			     s->error == -EINVAL ? "not a regular file" : strerror(-s->error));
	if (v->printer->output == OUTPUT_JSON) {
		r = print_json(v->printer, s, path);
	} else if (s->result != SOUND && s->result != SOUND_UNREADABLE) {
		progress_clear(v->progress);
		r = print_text(v->printer, s, path);
	}
	if (r == 0 && s->segment.cut && v->printer->output == OUTPUT_TEXT)
		r = printer_text(v->printer,
				 "cut %s: somebody has cut %" PRIu64
				 " bytes off it while it was live\n",
				 path, s->segment.cut);
	return r < 0 || v->printer->out.len < 65536 ? r : printer_flush(v->printer);
}

/* --- the pass --- */

static int suspect(struct pass *p, const struct sound *s)
{
	int r = array_room(&p->suspects, p->n, &p->capacity, sizeof(*p->suspects));
	if (r == 0)
		p->suspects[p->n++] = *s;
	return r;
}

/* With the lock held. 1: a row; 0: none is left. */
static int next_row(struct pass *p, struct sound *ret)
{
	struct account_segment row;
	int r = 0;
	while (!p->end && (r = account_next_segment(p->v->account, &row)) > 0) {
		sound_take(ret, &row);
		p->done++;
		if (is_chosen(p->v->choice, ret))
			return 1;
	}
	p->end = true;
	return r;
}

static bool may_be_newer(enum soundness result)
{
	return result == SOUND_MISSING || result == SOUND_SHORT || result == SOUND_DIFFERS ||
	       result == SOUND_DAMAGED || result == SOUND_UNKNOWN || result == SOUND_GROWN ||
	       result == SOUND_UNCHECKED;
}

static void *run(void *user)
{
	struct pass *p = user;
	struct verify_files *v = p->v;
	struct sound s;
	(void)pthread_mutex_lock(&p->lock);
	for (;;) {
		int r = next_row(p, &s);
		if (r > 0) {
			(void)pthread_mutex_unlock(&p->lock);
			r = sound_check(&s, v->archive_fd, v->stop, &p->read_bytes);
			(void)pthread_mutex_lock(&p->lock);
			if (r == 0)
				r = may_be_newer(s.result) ? suspect(p, &s) : tell(v, &s);
			r = r < 0 ? r : 1;
		}
		if (r <= 0 || p->end) {
			p->end = true;
			if (r < 0 && p->error == 0)
				p->error = r;
			break;
		}
	}
	p->running--;
	(void)pthread_cond_signal(&p->over);
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void show(const struct pass *p)
{
	double gib = (double)atomic_load(&p->read_bytes) / (1024.0 * 1024.0 * 1024.0);
	progress_text(p->v->progress, "%" PRIu64 " of %" PRIu64 " files, %.1f GiB read", p->done,
		      p->total, gib);
}

static void await(struct pass *p)
{
	(void)pthread_mutex_lock(&p->lock);
	while (p->running) {
		int64_t at = clock_mono_ns() + TICK_NS;
		struct timespec until = {.tv_sec = at / NUM_SEC_NS, .tv_nsec = at % NUM_SEC_NS};
		(void)pthread_cond_timedwait(&p->over, &p->lock, &until);
		show(p);
	}
	(void)pthread_mutex_unlock(&p->lock);
}

static int start_threads(struct pass *p, pthread_t *threads, unsigned *ret_n)
{
	unsigned n = scan_threads();
	int r = 0;
	for (*ret_n = 0; *ret_n < n; (*ret_n)++) {
		(void)pthread_mutex_lock(&p->lock);
		p->running++;
		(void)pthread_mutex_unlock(&p->lock);
		r = -pthread_create(&threads[*ret_n], NULL, run, p);
		if (r < 0) {
			(void)pthread_mutex_lock(&p->lock);
			p->running--;
			(void)pthread_mutex_unlock(&p->lock);
			break;
		}
	}
	return *ret_n ? 0 : r; /* fewer will do */
}

static int check_rows(struct pass *p)
{
	pthread_t threads[SCAN_THREADS_MAX];
	unsigned n;
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->over, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	int r = start_threads(p, threads, &n);
	if (r == 0)
		await(p);
	for (unsigned i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	(void)pthread_cond_destroy(&p->over);
	(void)pthread_mutex_destroy(&p->lock);
	progress_clear(p->v->progress);
	return r < 0 ? r : p->error;
}

/* --- files that the ledger does not know --- */

static int look_up(struct pass *p, int32_t day, const char *service, struct span file)
{
	struct verify_files *v = p->v;
	struct segment_name name;
	struct account_segment row;
	struct sound s = {.day = day, .result = SOUND_UNKNOWN};
	if (segment_name_parse_file(file, &name) < 0)
		return 0;
	(void)snprintf(s.service, sizeof(s.service), "%.*s", NAME_MAX_LEN, service);
	(void)snprintf(s.host, sizeof(s.host), "%.*s", (int)name.host.len, name.host.ptr);
	s.segment.number = name.number;
	s.segment.state = name.form == SEGMENT_LIVE ? ACCOUNT_LIVE : ACCOUNT_CLOSED;
	s.form = name.form;
	if (!verify_shard_chosen(v->choice, s.service, s.host))
		return 0;
	int r = account_find_segment(v->account, day, span_of(s.service), span_of(s.host),
				     name.number, &row);
	return r == 0 ? suspect(p, &s) : r < 0 ? r : 0;
}

static int look_through_service(struct pass *p, int32_t day, int day_fd, const char *service)
{
	DIR *dir = listing_open_directory(day_fd, service);
	int r = 0;
	if (!dir) {
		if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
			trouble_tell(p->v->trouble, "%s: %s; what it holds is not known", service,
				     strerror(errno));
		return 0;
	}
	for (const struct dirent *e; r == 0 && (e = readdir(dir));)
		r = look_up(p, day, service, span_of(e->d_name));
	closedir(dir);
	return r;
}

static int look_through_day(struct pass *p, int32_t day)
{
	char text[CIVIL_DAY_LEN + 1] = "";
	civil_format_day(text, day);
	DIR *dir = listing_open_directory(p->v->archive_fd, text);
	int r = 0;
	if (!dir) {
		if (errno != ENOENT)
			trouble_tell(p->v->trouble, "%s: %s; what it holds is not known", text,
				     strerror(errno));
		return 0;
	}
	for (const struct dirent *e; r == 0 && (e = readdir(dir));)
		if (name_valid(span_of(e->d_name)))
			r = look_through_service(p, day, dirfd(dir), e->d_name);
	closedir(dir);
	return r;
}

static int look_for_unknown(struct pass *p)
{
	int32_t *days;
	size_t n;
	int r = segments_days(p->v->archive_fd, p->v->choice->first_day, p->v->choice->last_day,
			      &days, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n && !atomic_load(p->v->stop); i++)
		r = look_through_day(p, days[i]);
	free(days);
	return r;
}

/* --- the second look --- */

static int still_unknown(struct pass *p, const struct sound *s)
{
	char path[SEGMENT_PATH_MAX];
	struct stat st;
	sound_path(s, path);
	struct sound found = *s;
	if (fstatat(p->v->archive_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	found.bytes = (uint64_t)st.st_size;
	return tell(p->v, &found);
}

static int look_again(struct pass *p, const struct sound *s)
{
	struct account_segment row;
	struct sound again;
	int r = account_find_segment(p->v->account, s->day, span_of(s->service), span_of(s->host),
				     s->segment.number, &row);
	if (s->result == SOUND_UNKNOWN)
		return r == 0 ? still_unknown(p, s) : r < 0 ? r : 0;
	if (r <= 0)
		return r; /* the collector has forgotten it: retention */
	sound_take(&again, &row);
	if (again.segment.state == ACCOUNT_DELETED)
		return 0;
	r = sound_check(&again, p->v->archive_fd, p->v->stop, &p->read_bytes);
	return r < 0 ? r : tell(p->v, &again);
}

static int by_place(const void *a, const void *b)
{
	const struct sound *x = a, *y = b;
	int r = (x->day > y->day) - (x->day < y->day);
	if (r == 0)
		r = strcmp(x->service, y->service);
	if (r == 0)
		r = strcmp(x->host, y->host);
	return r ? r
		 : (x->segment.number > y->segment.number) -
			       (x->segment.number < y->segment.number);
}

static int settle_suspects(struct pass *p)
{
	struct verify_files *v = p->v;
	const char *what;
	int r = 0;
	if (p->n == 0)
		return 0;
	qsort(p->suspects, p->n, sizeof(*p->suspects), by_place);
	account_close(v->account);
	v->account = NULL;
	r = account_open(v->data_dir, &v->account, &what);
	if (r < 0)
		return search_tell(r, what);
	for (size_t i = 0; r == 0 && i < p->n && !atomic_load(v->stop); i++)
		r = look_again(p, &p->suspects[i]);
	return r;
}

int verify_files(struct verify_files *v)
{
	struct pass p = {.v = v, .total = account_count_segments(v->account)};
	int r = check_rows(&p);
	if (r == 0)
		r = look_for_unknown(&p);
	if (r == 0)
		r = settle_suspects(&p);
	free(p.suspects);
	if (r == -ECANCELED)
		r = 0;
	return r < 0 ? r : printer_flush(v->printer);
}
