/* Sealing: what comes out of zstd frames and gzip members is what went in, blocks end at line ends
 * and stand where the seal said, and a damaged file is found out. */
#include "collector/store/seal.h"
#include "collector/store/sealed.h"
#include "common/crc64.h"
#include "common/file.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int memory_file(struct span bytes)
{
	int fd = memfd_create("seal", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(file_pwrite_all(fd, bytes, 0), 0);
	return fd;
}

/* check writes every assertion down, which a million of them make felt: these only speak when they
 * fail. */
static void must(int result)
{
	if (result < 0)
		ck_abort_msg("no memory");
}

static void add_line(struct buf *out, unsigned i, size_t padding)
{
	must(buf_printf(out, "2026-11-22T05:%02u:%02u.%06uZ web-01 checkout F id=%u ", i / 60 % 60,
			i % 60, i % 1000000, i * 2654435761U));
	for (size_t k = 0; k < padding; k++)
		must(buf_add_char(out, (char)('a' + (i + k) % 26)));
	must(buf_add_char(out, '\n'));
}

/* The kinds of text that sealing must cope with. */
static void make_text(int kind, struct buf *out)
{
	switch (kind) {
	case 0: break; /* empty */
	case 1: add_line(out, 1, 10); break;
	case 2: /* several blocks */
		for (unsigned i = 0; i < 40000; i++)
			add_line(out, i, 40);
		break;
	case 3: /* a line longer than a block, among others */
		for (unsigned i = 0; i < 3000; i++)
			add_line(out, i, i == 1500 ? 3 << 20 : 20);
		break;
	case 4: /* the last line lacks its LF; another is not one of haul's */
		add_line(out, 1, 10);
		must(buf_add_str(out, "foreign text\nno end"));
		break;
	case 5: /* so many tokens that blocks end early */
		for (unsigned i = 0; i < 2000; i++) {
			add_line(out, i, 0);
			out->len--;
			for (unsigned k = 0; k < 40; k++)
				must(buf_printf(out, " t%x", (i * 40 + k) * 2654435761U));
			must(buf_add_char(out, '\n'));
		}
		break;
	case 6: /* exactly one block and a bit */
		while (out->len < SEALED_BLOCK_BYTES)
			add_line(out, 1, 10);
		break;
	}
}

enum { KINDS = 7 };

struct seen {
	struct span plain;
	uint64_t at, offset;
	size_t blocks;
	uint64_t lines;
	size_t ends[4096];
};

static int each_block(void *user, const struct seal_block *b)
{
	struct seen *s = user;
	ck_assert_uint_eq(b->offset, s->offset);
	s->offset += b->length;
	s->at += b->plain_length;
	ck_assert_uint_le(s->at, s->plain.len);
	if (s->at < s->plain.len)
		ck_assert_int_eq(s->plain.ptr[s->at - 1], '\n');
	s->ends[s->blocks++] = s->at;
	s->lines += b->digest->lines;
	return 0;
}

static int each_sealed(void *user, const struct sealed_block *b)
{
	struct seen *s = user;
	size_t from = s->blocks ? s->ends[s->blocks - 1] : 0;
	ck_assert_mem_eq(b->plain.ptr, s->plain.ptr + from, b->plain.len);
	ck_assert_uint_eq(from + b->plain.len, s->ends[s->blocks]);
	s->blocks++;
	return 0;
}

static const struct {
	enum segment_form form;
	int level;
} forms[] = {{SEGMENT_ZSTD, 1}, {SEGMENT_ZSTD, 9}, {SEGMENT_GZIP, 1}, {SEGMENT_GZIP, 6}};

START_TEST(what_is_sealed_comes_out_again)
{
	int kind = _i % KINDS;
	struct buf text = BUF_EMPTY;
	make_text(kind, &text);
	int from = memory_file(buf_span(&text)), to = memory_file(span_make(NULL, 0));
	struct sealer *sealer = sealer_new();
	struct seen *seen = calloc(1, sizeof(*seen));
	seen->plain = buf_span(&text);
	struct seal_request request = {.from = from,
				       .length = text.len,
				       .to = to,
				       .form = forms[_i / KINDS].form,
				       .level = forms[_i / KINDS].level,
				       .block = each_block,
				       .user = seen};
	struct seal_result result;
	ck_assert_int_eq(sealer_run(sealer, &request, &result), 0);
	ck_assert_uint_eq(seen->at, text.len);
	ck_assert_uint_eq(result.blocks, seen->blocks);
	ck_assert_uint_eq(result.lines, seen->lines);
	ck_assert_uint_eq(result.crc, crc64_add(CRC64_EMPTY, text.ptr, text.len));
	ck_assert_uint_eq(result.bytes, (uint64_t)lseek(to, 0, SEEK_END));
	if (kind == 5)
		ck_assert_uint_gt(seen->blocks, text.len / SEALED_BLOCK_BYTES + 1);

	uint64_t bytes, crc;
	ck_assert_int_eq(sealed_sum(to, request.form, result.bytes, NULL, NULL, &bytes, &crc), 0);
	ck_assert_uint_eq(bytes, text.len);
	ck_assert_uint_eq(crc, result.crc);
	seen->blocks = 0;
	ck_assert_int_eq(sealed_walk(to, request.form, result.bytes, each_sealed, seen), 0);
	ck_assert_uint_eq(seen->blocks, result.blocks);
	free(seen);
	sealer_free(sealer);
	buf_free(&text);
	close(from);
	close(to);
}
END_TEST

START_TEST(damage_is_found_out)
{
	enum segment_form form = _i % 2 ? SEGMENT_GZIP : SEGMENT_ZSTD;
	struct buf text = BUF_EMPTY;
	make_text(2, &text);
	int from = memory_file(buf_span(&text)), to = memory_file(span_make(NULL, 0));
	struct sealer *sealer = sealer_new();
	struct seen *seen = calloc(1, sizeof(*seen));
	seen->plain = buf_span(&text);
	struct seal_request request = {.from = from,
				       .length = text.len,
				       .to = to,
				       .form = form,
				       .level = 1,
				       .block = each_block,
				       .user = seen};
	struct seal_result result;
	uint64_t bytes, crc;
	ck_assert_int_eq(sealer_run(sealer, &request, &result), 0);
	ck_assert_int_eq(sealed_sum(to, form, result.bytes - 1, NULL, NULL, &bytes, &crc),
			 -EBADMSG);
	ck_assert_int_eq(sealed_sum(to, form, result.bytes + 1, NULL, NULL, &bytes, &crc),
			 -EBADMSG);
	char c;
	uint64_t at = result.bytes / 3 + (uint64_t)_i * 101;
	ck_assert_int_eq(file_pread_full(to, &c, 1, at), 1);
	c ^= 0x20;
	ck_assert_int_eq(file_pwrite_all(to, span_make(&c, 1), at), 0);
	ck_assert_int_eq(sealed_sum(to, form, result.bytes, NULL, NULL, &bytes, &crc), -EBADMSG);
	free(seen);
	sealer_free(sealer);
	buf_free(&text);
	close(from);
	close(to);
}
END_TEST

static int refuse(void *user, const struct seal_block *b)
{
	(void)b;
	return *(int *)user ? (*(int *)user)--, 0 : -ECANCELED;
}

START_TEST(it_can_be_broken_off)
{
	struct buf text = BUF_EMPTY;
	int left = 1;
	make_text(2, &text);
	int from = memory_file(buf_span(&text)), to = memory_file(span_make(NULL, 0));
	struct sealer *sealer = sealer_new();
	struct seal_request request = {.from = from,
				       .length = text.len,
				       .to = to,
				       .form = SEGMENT_ZSTD,
				       .level = 1,
				       .block = refuse,
				       .user = &left};
	struct seal_result result;
	ck_assert_int_eq(sealer_run(sealer, &request, &result), -ECANCELED);
	request.length = text.len + 1;
	left = 1000;
	ck_assert_int_eq(ftruncate(to, 0), 0);
	ck_assert_int_eq(sealer_run(sealer, &request, &result), -EBADMSG);
	sealer_free(sealer);
	buf_free(&text);
	close(from);
	close(to);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seal");
	TCase *c = tcase_create("seal");
	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, what_is_sealed_comes_out_again, 0, 4 * KINDS);
	tcase_add_loop_test(c, damage_is_found_out, 0, 8);
	tcase_add_test(c, it_can_be_broken_off);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
