/* `haul verify`: see haul(1).
 *
 *     account (ledger and log) -> a proof for each stream -> print -> every file of the archive against the
 *     ledger -> sum up
 *
 * Streams that are not chosen are passed over; with --path only files of their services on their
 * hosts are read. */
#include "collector/query/verify.h"

#include "collector/query/proof.h"
#include "collector/query/search.h"
#include "collector/query/segments.h"
#include "collector/query/verify_files.h"
#include "common/file.h"
#include "common/glob.h"
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { EXIT_COMPLETE = 0, EXIT_INCOMPLETE = 1 };

struct verify {
	const struct options *options;
	const atomic_bool *stop;
	struct printer printer;
	struct trouble trouble;
	struct progress progress;
	struct verify_choice choice;
	struct map shards;
	struct verify_files files;
	struct proof proof;
	struct proof_group group;
	struct account_state state;
	uint64_t streams, hosts, lines, proven_bytes;
	uint64_t gaps, gap_bytes, losses, lost_bytes;
	char host[NAME_MAX_LEN + 1]; /* of the stream before */
};

/* --- streams --- */

static bool path_chosen(const struct option_list *paths, const char *path)
{
	for (size_t i = 0; i < paths->n; i++)
		if (strcmp(paths->items[i], path) == 0 || glob_match_name(paths->items[i], path))
			return true;
	return paths->n == 0;
}

/* 1, 0; -ENOMEM. */
static int is_chosen(const struct verify *v, const struct account_stream *s)
{
	const struct options *o = v->options;
	const struct segment_choice *names = &v->choice.names;
	if (s->last_us < o->since_us || s->born_us >= o->until_us)
		return 0;
	char *texts = malloc(s->host.len + s->service.len + s->path.len + 3);
	if (!texts)
		return -ENOMEM;
	char *host = texts, *service = host + s->host.len + 1, *path = service + s->service.len + 1;
	memcpy(host, s->host.ptr, s->host.len);
	host[s->host.len] = '\0';
	if (s->service.len)
		memcpy(service, s->service.ptr, s->service.len);
	service[s->service.len] = '\0';
	if (s->path.len)
		memcpy(path, s->path.ptr, s->path.len);
	path[s->path.len] = '\0';
	int r = listing_chosen(host, names->hosts, names->n_hosts) &&
		listing_chosen(service, names->services, names->n_services) &&
		path_chosen(&o->paths, path);
	free(texts);
	return r;
}

static void count(struct verify *v, const struct account_stream *s)
{
	if (!span_is(s->host, v->host)) {
		v->hosts++;
		(void)snprintf(v->host, sizeof(v->host), "%.*s", (int)s->host.len, s->host.ptr);
	}
	v->streams++;
	v->lines += s->lines;
	v->proven_bytes += v->proof.proven_bytes;
	v->gap_bytes += v->proof.gap_bytes;
	v->lost_bytes += v->proof.lost_bytes;
	for (size_t i = 0; i < v->proof.n; i++) {
		const struct proof_range *range = &v->proof.ranges[i];
		v->gaps += !range->proven && range->hole == PROOF_GAP;
		v->losses += !range->proven && range->hole == PROOF_LOST;
	}
}

static int take_stream(struct verify *v, const struct account_stream *s)
{
	int r = is_chosen(v, s);
	if (r <= 0)
		return r;
	r = proof_make(&v->proof, s);
	if (r < 0)
		return r;
	count(v, s);
	if (v->choice.shards) {
		r = verify_add_shard(v->choice.shards, s->service, s->host);
		if (r < 0)
			return r;
	}
	return v->printer.output == OUTPUT_JSON
		       ? proof_print_json(&v->printer, &v->proof)
		       : proof_print_text(&v->group, &v->printer, &v->proof);
}

static int take_streams(struct verify *v)
{
	struct account_stream s;
	int r = 0;
	while (!atomic_load(v->stop) && (r = account_next_stream(v->files.account, &s)) > 0) {
		r = take_stream(v, &s);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : proof_print_end(&v->group, &v->printer);
}

/* --- the sum --- */

static bool has_name(const struct option_list *globs)
{
	for (size_t i = 0; i < globs->n; i++)
		if (!strpbrk(globs->items[i], "*?["))
			return true;
	return false;
}

/* Streams that are asked for by name, and are not there, are not complete. */
static bool names_streams(const struct options *o)
{
	bool any_time = o->since_us == INT64_MIN && o->until_us == INT64_MAX;
	return o->paths.n || (any_time && (has_name(&o->hosts) || has_name(&o->services)));
}

static bool is_complete(const struct verify *v)
{
	const struct verify_sums *f = &v->files.sums;
	return !v->gaps && !v->losses && !f->unsound && !f->cut &&
	       (v->streams || !names_streams(v->options));
}

static int add_problem(struct buf *out, uint64_t n, const char *what)
{
	return n ? buf_printf(out, ", %" PRIu64 " %s", n, what) : 0;
}

static int print_sum_text(struct verify *v)
{
	const struct verify_sums *f = &v->files.sums;
	struct buf *out = &v->printer.out;
	int r = buf_printf(out,
			   "%s: %" PRIu64 " log files of %" PRIu64 " hosts, %" PRIu64
			   " bytes and %" PRIu64 " lines proven; %" PRIu64
			   " files of the archive, %" PRIu64 " bytes, read",
			   is_complete(v) ? "complete" : "NOT complete", v->streams, v->hosts,
			   v->proven_bytes, v->lines, f->files, f->bytes);
	if (r == 0 && v->gaps)
		r = buf_printf(out, ", %" PRIu64 " gaps (%" PRIu64 " bytes)", v->gaps,
			       v->gap_bytes);
	if (r == 0 && v->losses)
		r = buf_printf(out, ", %" PRIu64 " losses (%" PRIu64 " bytes)", v->losses,
			       v->lost_bytes);
	if (r == 0)
		r = add_problem(out, f->unsound, "of them missing or damaged");
	if (r == 0)
		r = add_problem(out, f->cut, "of them cut");
	if (r == 0)
		r = add_problem(out, f->unknown, "not known to the ledger");
	if (r == 0)
		r = add_problem(out, f->unchecked, "without a known checksum");
	if (r == 0)
		r = buf_add_str(out, "; as of ");
	if (r == 0)
		r = proof_add_time(out, v->state.as_of_us);
	return r < 0 ? r : buf_add_char(out, '\n');
}

static int print_sum_json(struct verify *v)
{
	const struct verify_sums *f = &v->files.sums;
	struct buf *out = &v->printer.out;
	int r = buf_printf(out,
			   "{\"type\":\"summary\",\"complete\":%s,\"streams\":%" PRIu64
			   ",\"hosts\":%" PRIu64 ",\"proven_bytes\":%" PRIu64 ",\"lines\":%" PRIu64
			   ",\"gaps\":%" PRIu64 ",\"gap_bytes\":%" PRIu64 ",\"losses\":%" PRIu64
			   ",\"lost_bytes\":%" PRIu64,
			   is_complete(v) ? "true" : "false", v->streams, v->hosts, v->proven_bytes,
			   v->lines, v->gaps, v->gap_bytes, v->losses, v->lost_bytes);
	if (r == 0)
		r = buf_printf(out,
			       ",\"files\":%" PRIu64 ",\"file_bytes\":%" PRIu64
			       ",\"unsound_files\":%" PRIu64 ",\"cut_files\":%" PRIu64
			       ",\"unknown_files\":%" PRIu64 ",\"unchecked_files\":%" PRIu64
			       ",\"as_of\":\"",
			       f->files, f->bytes, f->unsound, f->cut, f->unknown, f->unchecked);
	if (r == 0)
		r = proof_add_time(out, v->state.as_of_us);
	return r < 0 ? r : buf_add_str(out, "\"}\n");
}

static int print_sum(struct verify *v)
{
	int r = v->printer.output == OUTPUT_JSON ? print_sum_json(v) : print_sum_text(v);
	return r < 0 ? r : printer_flush(&v->printer);
}

/* --- */

static void choose(struct verify *v)
{
	const struct options *o = v->options;
	v->choice = (struct verify_choice){
		.names = {.services = o->services.items,
			  .n_services = o->services.n,
			  .hosts = o->hosts.items,
			  .n_hosts = o->hosts.n},
		.first_day = CIVIL_MIN_DAY,
		.last_day = CIVIL_MAX_DAY,
		.shards = o->paths.n ? &v->shards : NULL,
	};
	if (o->since_us > CIVIL_MIN_US)
		v->choice.first_day = civil_day_of_us(o->since_us);
	if (o->until_us <= CIVIL_MAX_US)
		v->choice.last_day = civil_day_of_us(o->until_us - 1);
}

static int open_verify(struct verify *v)
{
	const char *dir = v->options->data_dir, *what;
	progress_start(&v->progress, &v->trouble);
	choose(v);
	v->files = (struct verify_files){.data_dir = dir,
					 .archive_fd = -1,
					 .choice = &v->choice,
					 .printer = &v->printer,
					 .trouble = &v->trouble,
					 .progress = &v->progress,
					 .stop = v->stop};
	int r = printer_init(&v->printer, v->options, NULL);
	if (r == 0)
		r = segments_open_archive(dir, &v->files.archive_fd);
	if (r < 0)
		return search_tell(r, dir);
	r = account_open(dir, &v->files.account, &what);
	if (r < 0) {
		log_error("%s: %s: %s", dir, what,
			  r == -ENOENT
				  ? "there is none; the collector makes it soon after its start"
				  : strerror(-r));
		return r;
	}
	v->state = *account_state(v->files.account);
	if (v->state.log_damaged)
		trouble_tell(
			&v->trouble,
			"%s/.haul/wal: damaged; what came later than this account is not in it",
			dir);
	return 0;
}

static int verify(struct verify *v)
{
	int r = open_verify(v);
	if (r < 0)
		return r;
	r = take_streams(v);
	if (r == 0 && !v->streams && names_streams(v->options))
		log_error("%s: nothing of such a log file has arrived",
			  v->options->paths.n   ? "--path"
			  : v->options->hosts.n ? "--host"
						: "--service");
	if (r == 0 && !atomic_load(v->stop))
		r = verify_files(&v->files);
	if (r == 0)
		r = print_sum(v);
	return r == 0 || r == -EPIPE ? r : search_tell(r, "verify");
}

static int exit_code(struct verify *v, int result)
{
	bool trouble = trouble_sum(&v->trouble) || v->files.sums.unknown;
	if (atomic_load(v->stop)) {
		log_warning("interrupted: this is what was found until then");
		return EXIT_INTERRUPTED;
	}
	if (result < 0 || trouble)
		return EXIT_TROUBLE;
	return is_complete(v) ? EXIT_COMPLETE : EXIT_INCOMPLETE;
}

int verify_run(const struct options *o, const atomic_bool *stop)
{
	struct verify v = {.options = o, .stop = stop, .trouble = TROUBLE_NONE};
	int r = verify(&v);
	int code = exit_code(&v, r);
	proof_free(&v.proof);
	proof_group_free(&v.group);
	verify_free_shards(&v.shards);
	account_close(v.files.account);
	file_close(&v.files.archive_fd);
	printer_free(&v.printer);
	return code;
}
