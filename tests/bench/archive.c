/* Measures sealing, indexing and the index's answers, without a collector:
 *
 *     archive seal DIR FORM LEVEL     seals every live file below DIR (as gen --tree makes
 *                                     them) and indexes it; FORM is zstd or gzip
 *     archive find DIR TEXT           which blocks have to be read for a text
 */
#include "collector/store/index.h"
#include "collector/store/indexer.h"
#include "collector/store/seal.h"
#include "collector/store/sealed.h"
#include "common/clock.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct bench {
	struct tree tree;
	struct sealer *sealer;
	struct indexer *indexer;
	struct part part;
	enum segment_form form;
	int level;
	uint64_t plain, sealed, blocks, files;
	int64_t seal_ns, verify_ns;
};

static struct bench bench;
static const char *root;

/* CPU time: what a core does, whatever else runs on the machine. */
static int64_t cpu_ns(void)
{
	return (int64_t)clock() * (NUM_SEC_NS / CLOCKS_PER_SEC);
}

static void die(const char *what, int error)
{
	(void)fprintf(stderr, "archive: %s: %s\n", what, strerror(-error));
	exit(1);
}

static bool alive(void *user, const struct part_segment *s)
{
	(void)user;
	(void)s;
	return true;
}

static int flush_part(void)
{
	struct part *p = &bench.part;
	int r = indexer_add(bench.indexer, "30d", p);
	p->segment.first_block += p->segment.n_blocks;
	part_clear(p);
	return r;
}

static int each_block(void *user, const struct seal_block *b)
{
	(void)user;
	bench.blocks++;
	return part_add(&bench.part, b->offset, b->length, b->plain_length, b->digest);
}

static void seal_file(const char *path, const struct segment_name *live)
{
	char to[SEGMENT_PATH_MAX];
	struct segment_name name = *live;
	struct stat st;
	struct seal_result result;
	uint64_t bytes, crc;
	name.number = 1;
	name.form = bench.form;
	(void)segment_name_path(to, &name);
	int in = open(path, O_RDONLY | O_CLOEXEC);
	int out = tree_open_file(&bench.tree, to, O_RDWR | O_CREAT | O_TRUNC);
	if (in < 0 || out < 0 || fstat(in, &st) < 0)
		die(path, -errno);
	part_clear(&bench.part);
	int64_t start_ns = cpu_ns();
	struct seal_request request = {.from = in,
				       .length = (uint64_t)st.st_size,
				       .to = out,
				       .form = bench.form,
				       .level = bench.level,
				       .service = name.service,
				       .host = name.host,
				       .block = each_block};
	int r = sealer_run(bench.sealer, &request, &result);
	if (r < 0)
		die(path, r);
	bench.part.segment = (struct part_segment){.day = name.day,
						   .service = name.service,
						   .host = name.host,
						   .number = 1,
						   .form = bench.form,
						   .size = result.bytes,
						   .plain_bytes = request.length,
						   .plain_crc = result.crc,
						   .lines = result.lines,
						   .blocks = (uint32_t)result.blocks,
						   .n_blocks = bench.part.segment.n_blocks};
	r = flush_part();
	if (r < 0)
		die("index", r);
	int64_t sealed_ns = cpu_ns();
	r = sealed_sum(out, bench.form, result.bytes, NULL, NULL, &bytes, &crc);
	if (r < 0 || crc != result.crc || bytes != request.length)
		die(to, r < 0 ? r : -EBADMSG);
	bench.verify_ns += cpu_ns() - sealed_ns;
	bench.seal_ns += sealed_ns - start_ns;
	bench.plain += request.length;
	bench.sealed += result.bytes;
	bench.files++;
	(void)close(in);
	(void)close(out);
	(void)unlink(path);
}

static int each_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
	struct segment_name name;
	(void)st;
	(void)at;
	struct span below = span_from(span_of(path), strlen(root) + (path[strlen(root)] == '/'));
	if (type == FTW_F && segment_name_parse(below, &name) == 0 && name.form == SEGMENT_LIVE)
		seal_file(path, &name);
	return 0;
}

static void seal(const char *form, const char *level)
{
	struct indexer_config config = {.tree = &bench.tree, .alive = alive};
	struct index *index;
	bench.form = strcmp(form, "gzip") == 0 ? SEGMENT_GZIP : SEGMENT_ZSTD;
	bench.level = atoi(level);
	bench.sealer = sealer_new();
	int r = indexer_open(&config, &bench.indexer);
	if (r < 0 || !bench.sealer)
		die("open", r);
	if (nftw(root, each_file, 16, FTW_PHYS) < 0 || index_open(bench.tree.root, &index) < 0)
		die(root, -errno);
	struct index_sums sums = index_sums(index);
	double mb = (double)bench.plain / 1e6;
	printf("%s -%d: %" PRIu64 " files, %.0f MB, %" PRIu64 " blocks\n", form, bench.level,
	       bench.files, mb, bench.blocks);
	printf("  at rest %.4f of the plain bytes: sealed %.4f (ratio %.2f), index %.4f\n",
	       (double)(bench.sealed + sums.bytes) / (double)bench.plain,
	       (double)bench.sealed / (double)bench.plain,
	       (double)bench.plain / (double)bench.sealed,
	       (double)sums.bytes / (double)bench.plain);
	printf("  sealed and indexed at %.0f MB/s, checked at %.0f MB/s, together %.0f MB/s a "
	       "core\n",
	       mb * 1e9 / (double)bench.seal_ns, mb * 1e9 / (double)bench.verify_ns,
	       mb * 1e9 / (double)(bench.seal_ns + bench.verify_ns));
	index_free(index);
}

static void find(const char *text)
{
	struct tokenizer tokenizer = {0};
	struct token_terms terms;
	struct index *index;
	int64_t start_ns = clock_mono_ns();
	if (token_terms_of(&tokenizer, span_of(text), false, &terms) < 0 ||
	    index_open(bench.tree.root, &index) < 0)
		die("open", -ENOMEM);
	int64_t open_ns = clock_mono_ns() - start_ns;
	struct slab_need need = {&terms, 1};
	struct slab_query query = {&need, 1, INT64_MIN, INT64_MAX};
	uint64_t blocks, bytes;
	struct index_search *s = index_search_new(index, &query);
	if (!s || index_search_all(s, &blocks, &bytes) < 0)
		die("search", -ENOMEM);
	int64_t all_ns = clock_mono_ns() - start_ns;
	struct index_sums sums = index_sums(index);
	printf("%zu terms: %" PRIu64 " of %" PRIu64 " blocks, %" PRIu64
	       " bytes to read; opened in %.1f ms, searched in %.1f ms\n",
	       terms.n, blocks, sums.blocks, bytes, (double)open_ns / 1e6, (double)all_ns / 1e6);
	index_search_free(s);
	index_free(index);
	tokenizer_free(&tokenizer);
}

int main(int argc, char **argv)
{
	bool sealing = argc == 5 && strcmp(argv[1], "seal") == 0;
	if (!sealing && !(argc == 4 && strcmp(argv[1], "find") == 0)) {
		(void)fprintf(stderr,
			      "usage: archive seal DIR FORM LEVEL | archive find DIR TEXT\n");
		return 2;
	}
	root = argv[2];
	int r = tree_open(root, &bench.tree);
	if (r < 0)
		die(root, r);
	if (sealing)
		seal(argv[3], argv[4]);
	else
		find(argv[3]);
	return 0;
}
