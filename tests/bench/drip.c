/* Writes lines slowly into many files, and sees when they arrive.
 *
 *     drip [--files N] [--rate LINES] [--seconds N] [--disk FILE] DIR
 *
 * LINES a second in all, spread evenly over the N files DIR/app-00001.log ..., each line written
 * alone and with the time of its writing in it. With --disk, FILE (which need not exist yet) is
 * read every millisecond meanwhile, and the time from the writing of each line to its standing
 * there is told: p50, p99 and the most. Exit 0; 1 when lines have not arrived within 30 seconds of
 * the last one. */
#include "common/clock.h"
#include "common/num.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 512, READ = 1 << 16 };

static const char mark[] = "\"sent_ns\":";

struct drip {
	uint64_t files, rate, seconds;
	const char *dir, *disk_path;
	int *fds;
	uint64_t written;
	int disk;
	char tail[READ + LINE_MAX_BYTES];
	size_t held;
	int64_t *delays;
	uint64_t arrived;
};

_Noreturn static void die(const char *what)
{
	(void)fprintf(stderr, "drip: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void open_files(struct drip *d)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	d->fds = calloc(d->files, sizeof(*d->fds));
	d->delays = calloc(d->rate * d->seconds, sizeof(*d->delays));
	if (!d->fds || !d->delays)
		die("memory");
	for (uint64_t i = 0; i < d->files; i++) {
		char path[4096];
		(void)snprintf(path, sizeof(path), "%s/app-%05" PRIu64 ".log", d->dir, i + 1);
		d->fds[i] = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (d->fds[i] < 0)
			die(path);
	}
}

static void write_line(struct drip *d)
{
	char line[LINE_MAX_BYTES];
	int len =
		snprintf(line, sizeof(line),
			 "{\"level\":\"info\",\"msg\":\"a line of a service that says now and then "
			 "what it does\",\"n\":%" PRIu64 ",%s%" PRId64 "}\n",
			 d->written, mark, clock_real_ns());
	if (write(d->fds[d->written % d->files], line, (size_t)len) != len)
		die("write");
	d->written++;
}

static void note_lines(struct drip *d, int64_t now_ns)
{
	char *at = d->tail, *end = d->tail + d->held, *lf;
	while ((lf = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		*lf = '\0';
		const char *sent = strstr(at, mark);
		if (sent && d->arrived < d->rate * d->seconds)
			d->delays[d->arrived++] = now_ns - strtoll(sent + strlen(mark), NULL, 10);
		at = lf + 1;
	}
	d->held = (size_t)(end - at);
	memmove(d->tail, at, d->held);
}

static void look(struct drip *d)
{
	if (!d->disk_path)
		return;
	if (d->disk < 0)
		d->disk = open(d->disk_path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	while (d->disk >= 0 &&
	       (n = read(d->disk, d->tail + d->held, sizeof(d->tail) - d->held)) > 0) {
		d->held += (size_t)n;
		note_lines(d, clock_real_ns());
	}
}

static void rest(void)
{
	struct timespec t = {.tv_nsec = NUM_MS_NS};
	(void)nanosleep(&t, NULL);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static double delay_ms(const struct drip *d, double part)
{
	size_t at = (size_t)(part * (double)(d->arrived - 1));
	return (double)d->delays[at] / 1e6;
}

static int run(struct drip *d)
{
	open_files(d);
	assert(d->fds);
	int64_t began_ns = clock_mono_ns(), now_ns;
	uint64_t all = d->rate * d->seconds;
	while (d->written < all) {
		now_ns = clock_mono_ns();
		uint64_t due = (uint64_t)((double)(now_ns - began_ns) / 1e9 * (double)d->rate);
		while (d->written < due && d->written < all)
			write_line(d);
		look(d);
		rest();
	}
	int64_t until_ns = clock_mono_ns() + 30 * NUM_SEC_NS;
	while (d->disk_path && d->arrived < all && clock_mono_ns() < until_ns) {
		look(d);
		rest();
	}
	if (!d->disk_path)
		return 0;
	if (d->arrived < all) {
		(void)fprintf(stderr, "drip: %" PRIu64 " of %" PRIu64 " lines have arrived\n",
			      d->arrived, all);
		return 1;
	}
	qsort(d->delays, d->arrived, sizeof(*d->delays), by_value);
	printf("%.1f %.1f %.1f\n", delay_ms(d, 0.5), delay_ms(d, 0.99), delay_ms(d, 1));
	return 0;
}

static uint64_t number(const char *text)
{
	uint64_t n = 0;
	if (num_parse_u64(span_of(text), &n) < 0 || n == 0 || n > 10000000) {
		(void)fprintf(stderr, "drip: %s is not a number that makes sense here\n", text);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"files", 1, NULL, 'f'},
					      {"rate", 1, NULL, 'r'},
					      {"seconds", 1, NULL, 's'},
					      {"disk", 1, NULL, 'd'},
					      {NULL, 0, NULL, 0}};
	static struct drip d = {.files = 1, .rate = 1000, .seconds = 10, .disk = -1};
	int option;
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 'f': d.files = number(optarg); break;
		case 'r': d.rate = number(optarg); break;
		case 's': d.seconds = number(optarg); break;
		case 'd': d.disk_path = optarg; break;
		default: return 2;
		}
	}
	if (optind + 1 != argc) {
		(void)fputs("usage: drip [OPTIONS] DIR\n", stderr);
		return 2;
	}
	d.dir = argv[optind];
	return run(&d);
}
