/* Random lives of a container's log: lines in pieces on both outputs, rotated and compressed as the
 * runtimes do it, step by step, while the agent looks, is held up, stops and is killed. Each piece
 * arrives once, with its neighbours. HAUL_SEEDS=FIRST-LAST runs others than the usual ones,
 * HAUL_DUMP=1 shows the sources before each step. */
#include "tests/lib/flow.h"

#include "common/file.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum {
	STEPS = 150,
	KEEP = 40,
	SEEDS = 5,
	LINES_MAX = 20000,
	PIECE = 12,
	PIECES_MAX = 12,
	PARTS_MAX = 2
};

static struct host h;
static struct flow flow;
static uint64_t state;
static bool running;
static unsigned files, kills; /* that the log has had; of the agent */
static unsigned parts;        /* messages that are not the end of their line */
static unsigned last_seed = SEEDS, first_seed = 1;
static char live_path[512];

static unsigned choose(unsigned n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % n;
}

static void note(const char *what)
{
	if (getenv("HAUL_DUMP"))
		host_dump(&h);
	if (getenv("HAUL_SEEDS"))
		fprintf(stderr, "%s\n", what);
}

/* --- the container --- */

/* A line of an output, of which `left` pieces are still to be written. */
static struct output {
	char tag;
	unsigned lines;
	unsigned pieces[LINES_MAX];                           /* of each line */
	unsigned written;                                     /* of the last one */
	unsigned first_file[LINES_MAX], last_file[LINES_MAX]; /* that it has pieces in */
	unsigned kills[LINES_MAX];                            /* before it began */
} outputs[2];
static int log_fd = -1;
static bool docker;
static uint64_t clock_ns;

static void log_create(void)
{
	files++;
	log_fd = open(live_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	ck_assert_int_ge(log_fd, 0);
}

/* The text of piece `i` of a line. */
static void add_piece(struct buf *out, const struct output *o, unsigned line, unsigned i)
{
	char text[PIECE + 1];
	int n = snprintf(text, sizeof(text), "%c%u.%u/%u", o->tag, line, i + 1,
			 o->pieces[line - 1]);
	memset(text + n, 'x', sizeof(text) - (size_t)n);
	ck_assert_int_eq(buf_add(out, text, PIECE), 0);
}

static void write_piece(unsigned number)
{
	struct buf text = BUF_EMPTY;
	struct output *o = &outputs[number];
	if (!o->lines || o->written == o->pieces[o->lines - 1]) {
		ck_assert_uint_lt(o->lines, LINES_MAX);
		o->first_file[o->lines] = files;
		o->kills[o->lines] = kills;
		o->pieces[o->lines++] = choose(3) ? 1 : 1 + choose(PIECES_MAX);
		o->written = 0;
	}
	o->last_file[o->lines - 1] = files;
	const char *name = number ? "stderr" : "stdout";
	bool whole = o->written + 1 == o->pieces[o->lines - 1];
	clock_ns += 1000;
	char time[64];
	(void)snprintf(time, sizeof(time), "2026-11-22T05:40:%02u.%09uZ",
		       (unsigned)(clock_ns / 1000000000), (unsigned)(clock_ns % 1000000000));
	int r = docker ? buf_add_str(&text, "{\"log\":\"")
		       : buf_printf(&text, "%s %s %s ", time, name, whole ? "F" : "P");
	ck_assert_int_eq(r, 0);
	add_piece(&text, o, o->lines, o->written);
	r = docker ? buf_printf(&text, "%s\",\"stream\":\"%s\",\"time\":\"%s\"}\n",
				whole ? "\\n" : "", name, time)
		   : buf_add_char(&text, '\n');
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(file_write_all(log_fd, buf_span(&text)), 0);
	o->written++;
	buf_free(&text);
}

static void write_pieces(void)
{
	char text[64];
	unsigned n = 5 + choose(choose(4) ? 25 : 120);
	(void)snprintf(text, sizeof(text), "write %u", n);
	note(text);
	while (n--)
		write_piece(choose(2));
}

/* --- rotation --- */

static void look_now_and_then(void)
{
	if (!running || choose(4))
		return;
	note("turn");
	flow_turns(&flow, 1);
}

static bool try_rename(const char *from, const char *to)
{
	char a[600], b[600]; /* live_path and a suffix */
	(void)snprintf(a, sizeof(a), "%s%s", live_path, from);
	(void)snprintf(b, sizeof(b), "%s%s", live_path, to);
	if (rename(a, b) < 0) {
		ck_assert_int_eq(errno, ENOENT);
		return false;
	}
	return true;
}

/* What is being compressed, a step at a time. */
static struct {
	char from[32], to[40]; /* suffixes */
	char done[40];         /* renamed to this at the end; "" it is there already */
	struct buf packed;
	size_t written;
	int fd; /* -1: nothing */
} job = {.fd = -1};

static void job_begin(const char *from, const char *to, const char *done)
{
	char path[600];
	struct buf text = BUF_EMPTY;
	z_stream z = {0};
	(void)snprintf(job.from, sizeof(job.from), "%s", from);
	(void)snprintf(job.to, sizeof(job.to), "%s", to);
	(void)snprintf(job.done, sizeof(job.done), "%s", done);
	(void)snprintf(path, sizeof(path), "%s%s", live_path, from);
	ck_assert_int_ge(file_read(AT_FDCWD, path, 1 << 30, &text), 0);
	ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t room = deflateBound(&z, text.len) + 64;
	buf_clear(&job.packed);
	ck_assert_int_eq(buf_reserve(&job.packed, room), 0);
	z.next_in = (unsigned char *)text.ptr;
	z.avail_in = (unsigned)text.len;
	z.next_out = (unsigned char *)job.packed.ptr;
	z.avail_out = (unsigned)room;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	job.packed.len = room - z.avail_out;
	deflateEnd(&z);
	buf_free(&text);
	job.written = 0;
	(void)snprintf(path, sizeof(path), "%s%s", live_path, to);
	job.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ck_assert_int_ge(job.fd, 0);
}

static void job_step(void)
{
	char path[600];
	if (job.fd < 0)
		return;
	size_t left = job.packed.len - job.written, n = left;
	if (n > 20 && choose(2))
		n = choose((unsigned)n) + 1;
	note(n < left ? "packing" : "packed");
	ck_assert_int_eq(file_write_all(job.fd, span_make(job.packed.ptr + job.written, n)), 0);
	job.written += n;
	if (job.written < job.packed.len)
		return;
	close(job.fd);
	job.fd = -1;
	look_now_and_then();
	if (*job.done)
		ck_assert(try_rename(job.to, job.done));
	look_now_and_then();
	(void)snprintf(path, sizeof(path), "%s%s", live_path, job.from);
	ck_assert_int_eq(unlink(path), 0);
}

static void job_end(void)
{
	while (job.fd >= 0) {
		job_step();
		look_now_and_then();
	}
}

static void rotate_docker(void)
{
	char from[32], to[32];
	for (unsigned i = KEEP; i > 0; i--) {
		(void)snprintf(from, sizeof(from), ".%u.gz", i);
		(void)snprintf(to, sizeof(to), ".%u.gz", i + 1);
		if (try_rename(from, to))
			look_now_and_then();
	}
	ck_assert(try_rename("", ".1"));
	look_now_and_then();
	close(log_fd);
	log_create();
	job_begin(".1", ".1.gz", "");
}

/* What was rotated before is compressed, then the live file is renamed. */
static void rotate_cri(unsigned rotation)
{
	static char plain[32];
	char to[40], done[40];
	if (*plain) {
		(void)snprintf(to, sizeof(to), "%s.tmp", plain);
		(void)snprintf(done, sizeof(done), "%s.gz", plain);
		job_begin(plain, to, done);
		if (choose(2))
			job_end();
	}
	(void)snprintf(plain, sizeof(plain), ".20261122-%06u", rotation);
	if (rotation == 0) {
		*plain = '\0';
		return;
	}
	ck_assert(try_rename("", plain));
	look_now_and_then();
	close(log_fd);
	log_create();
}

/* --- the agent --- */

static void start(void)
{
	static const unsigned sizes[] = {1, 300, 2000, 100000};
	if (running)
		return;
	note("start");
	flow.batch_bytes = sizes[choose(4)];
	flow_start(&flow);
	running = true;
}

static void stop(void)
{
	if (!running)
		return;
	unsigned how = choose(4);
	note(how == 0 ? "stop" : how == 1 ? "kill" : "deliver and kill");
	if (how == 0)
		flow_stop(&flow);
	else
		flow_kill(&flow, how > 1);
	kills += how != 0;
	running = false;
}

static void go_on(void)
{
	if (!running)
		return;
	unsigned n = 1 + choose(4);
	note(n == 4 ? "run" : "turns");
	if (n == 4)
		flow_run(&flow, 3);
	else
		flow_turns(&flow, n);
}

static void trouble(void)
{
	if (!running)
		return;
	if (choose(2)) {
		flow.down = !flow.down;
		note(flow.down ? "down" : "up");
		return;
	}
	note("session lost");
	flow_lose_session(&flow);
}

/* Lines that are not whole are. */
static void finish_lines(void)
{
	for (unsigned i = 0; i < 2; i++)
		while (outputs[i].lines &&
		       outputs[i].written != outputs[i].pieces[outputs[i].lines - 1])
			write_piece(i);
}

/* Whoever is away comes back, and everything arrives. */
static void settle(void)
{
	flow.down = false;
	start();
	note("settle");
	finish_lines();
	flow_run(&flow, 1400);
}

static void step(unsigned *rotations)
{
	job_step();
	look_now_and_then();
	switch (choose(12)) {
	case 0:
	case 1:
	case 2:
	case 3: write_pieces(); break;
	case 4:
	case 5:
		job_end();
		note("rotate");
		if (docker)
			rotate_docker();
		else
			rotate_cri(*rotations + 1);
		if (++*rotations % (KEEP / 2) == 0) {
			job_end();
			settle();
		}
		break;
	case 6:
	case 7: stop(); break;
	case 8: start(); break;
	case 9: trouble(); break;
	default: go_on(); break;
	}
}

/* What has come of a line, for who replays a failure. */
static void say_where(const struct output *o, unsigned line)
{
	char text[32];
	(void)snprintf(text, sizeof(text), "%c%u.", o->tag, line);
	struct span left = buf_span(&flow.lines);
	while (left.len) {
		struct span found = span_first(left, span_find(left, '\n'));
		if (memmem(found.ptr, found.len, text, strlen(text)))
			fprintf(stderr, "    %.*s\n", (int)found.len, found.ptr);
		left = span_from(left, found.len + 1);
	}
	char command[64];
	(void)snprintf(command, sizeof(command), "zgrep -l '%c%u[.]' * >&2 || true", o->tag, line);
	host_shell(&h, command);
	host_dump(&h);
}

/* Whose piece it is, which one, and of how many. */
struct mark {
	char tag;
	unsigned line, i, n;
};

static void read_mark(const char *piece, struct mark *ret)
{
	char text[PIECE + 1];
	memcpy(text, piece, PIECE);
	text[PIECE] = '\0';
	int n = sscanf(text, "%c%u.%u/%u", &ret->tag, &ret->line, &ret->i, &ret->n);
	ck_assert_msg(n == 4, "%s", text);
}

static unsigned *seen[2]; /* of each piece of each line */

/* The pieces of one message follow each other. */
static void take_message(struct span line)
{
	bool whole = line.ptr[0] == 'F';
	size_t flags = span_find(line, ' ');
	unsigned number = flags > 1 && line.ptr[1] == 'e';
	struct span left = span_from(line, flags + 1);
	struct mark last = {0};
	ck_assert_msg(left.len && left.len % PIECE == 0, "%.*s", (int)line.len, line.ptr);
	for (; left.len; left = span_from(left, PIECE)) {
		struct mark m;
		read_mark(left.ptr, &m);
		ck_assert_int_eq(m.tag, outputs[number].tag);
		ck_assert(m.line <= outputs[number].lines && m.i <= m.n && m.n <= PIECES_MAX);
		ck_assert_msg(!last.line || (m.line == last.line && m.i == last.i + 1),
			      "not one line: %.*s", (int)line.len, line.ptr);
		seen[number][m.line * (PIECES_MAX + 1) + m.i]++;
		last = m;
	}
	ck_assert_msg(whole == (last.i == last.n), "%.*s", (int)line.len, line.ptr);
	if (whole)
		return;
	parts++;
	const struct output *o = &outputs[number];
	ck_assert_msg(o->first_file[last.line - 1] < o->last_file[last.line - 1] &&
			      o->kills[last.line - 1] < kills,
		      "in parts: %c%u, of files %u to %u, %u kills before it", o->tag, last.line,
		      o->first_file[last.line - 1], o->last_file[last.line - 1],
		      o->kills[last.line - 1]);
}

/* Each piece is there once, in a message with its neighbours. Only a line that lies in several
 * files may come in parts, which is said by their flags, when the agent was killed after it began;
 * and that is rare. */
static void expect_lines(void)
{
	struct span left = buf_span(&flow.lines);
	parts = 0;
	for (size_t i = 0; i < 2; i++)
		seen[i] = calloc((outputs[i].lines + 1) * (PIECES_MAX + 1), sizeof(unsigned));
	while (left.len) {
		size_t n = span_find(left, '\n');
		take_message(span_first(left, n));
		left = span_from(left, n + 1);
	}
	for (size_t i = 0; i < 2; i++)
		for (unsigned line = 1; line <= outputs[i].lines; line++)
			for (unsigned k = 1; k <= outputs[i].pieces[line - 1]; k++) {
				unsigned n = seen[i][line * (PIECES_MAX + 1) + k];
				if (n != 1)
					say_where(&outputs[i], line);
				ck_assert_msg(n == 1, "%u times: %c%u.%u", n, outputs[i].tag, line,
					      k);
			}
	fprintf(stderr, "%u lines, %u in parts\n", outputs[0].lines + outputs[1].lines, parts);
	ck_assert_uint_le(parts, PARTS_MAX);
	free(seen[0]);
	free(seen[1]);
}

static void live(unsigned seed)
{
	state = seed;
	running = false;
	outputs[0] = (struct output){.tag = 'o'};
	outputs[1] = (struct output){.tag = 'e'};
	clock_ns = 0;
	files = kills = 0;
	if (!docker)
		rotate_cri(0);
	start();
	log_create();
	write_pieces();
	for (unsigned n = 0, rotations = 0; n < STEPS; n++)
		step(&rotations);
	job_end();
	settle();
}

static void check_life(unsigned seed, bool is_docker)
{
	docker = is_docker;
	host_init(&h, seed % 2 ? "/tmp" : "/dev/shm");
	struct input *in = host_input(&h, "box", "0.log", "");
	in->type = docker ? INPUT_DOCKER : INPUT_CRI;
	in->service = "shop";
	(void)snprintf(live_path, sizeof(live_path), "%s", host_path(&h, "0.log"));
	flow_init(&flow, &h);
	live(seed);
	close(log_fd);
	expect_lines();
	flow_free(&flow);
	host_free(&h);
	buf_free(&job.packed);
}

START_TEST(each_piece_once_docker)
{
	check_life(first_seed + (unsigned)_i, true);
}
END_TEST

START_TEST(each_piece_once_cri)
{
	check_life(first_seed + (unsigned)_i, false);
}
END_TEST

int main(void)
{
	const char *seeds = getenv("HAUL_SEEDS");
	if (seeds && sscanf(seeds, "%u-%u", &first_seed, &last_seed) < 2)
		last_seed = first_seed;
	int n = (int)(last_seed - first_seed + 1);
	Suite *suite = suite_create("pieces");
	TCase *tcase = tcase_create("pieces");
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, each_piece_once_docker, 0, n);
	tcase_add_loop_test(tcase, each_piece_once_cri, 0, n);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
