/* Chunk headers: the example of haul-protocol(7), every field there and back, and what is
 * refused. */
#include "common/chunk.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(table) ((int)(sizeof(table) / sizeof(*(table))))

/* The example of haul-protocol(7). */
#define STREAM "9f2c00ff10a1b2c3d4e5f60718293a4b"

static const char EXAMPLE[] =
	"{\"stream\":\"" STREAM "\",\"host\":\"web-01\",\"service\":\"checkout\",\"instance\":\"\","
	"\"path\":\"/var/log/checkout.log\",\"ino\":\"131\",\"btime\":\"1795327401225242264\","
	"\"start\":0,\"from\":0,\"to\":5120,\"base\":0,\"crc_from\":\"0000000000000000\","
	"\"crc\":\"995dc9bbdf1939fa\",\"lines\":20,\"dropped\":0,\"state\":\"\",\"bytes\":5430}";

static int decode(struct span header, struct buf *scratch, struct chunk *ret, const char **ret_why)
{
	/* Of its own length, so that the sanitizer sees a byte read too many. */
	static char *exact;
	free(exact);
	exact = malloc(header.len ? header.len : 1);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, header.ptr, header.len);
	*ret_why = "";
	return chunk_decode(span_make(exact, header.len), scratch, ret, ret_why);
}

START_TEST(the_example_both_ways)
{
	struct buf scratch = BUF_EMPTY, out = BUF_EMPTY;
	struct chunk c;
	const char *why;
	ck_assert_int_eq(decode(span_of(EXAMPLE), &scratch, &c, &why), 0);
	char stream[STREAM_ID_HEX];
	stream_id_format(stream, &c.stream);
	ck_assert_mem_eq(stream, STREAM, STREAM_ID_HEX);
	ck_assert(span_is(c.host, "web-01"));
	ck_assert(span_is(c.service, "checkout"));
	ck_assert(span_is(c.instance, ""));
	ck_assert(span_is(c.path, "/var/log/checkout.log"));
	ck_assert_uint_eq(c.ino, 131);
	ck_assert_int_eq(c.btime_ns, INT64_C(1795327401225242264));
	ck_assert_uint_eq(c.start, 0);
	ck_assert_uint_eq(c.from, 0);
	ck_assert_uint_eq(c.to, 5120);
	ck_assert_uint_eq(c.base, 0);
	ck_assert_uint_eq(c.crc_from, 0);
	ck_assert_uint_eq(c.crc, UINT64_C(0x995dc9bbdf1939fa));
	ck_assert_uint_eq(c.lines, 20);
	ck_assert_uint_eq(c.dropped, 0);
	ck_assert(span_is(c.state, ""));
	ck_assert(span_is(c.loss, ""));
	ck_assert(!c.repair && !c.ended);
	ck_assert_uint_eq(c.bytes, 5430);

	ck_assert_int_eq(buf_add_str(&out, "before"), 0);
	ck_assert_int_eq(chunk_encode(&c, &out), 0);
	ck_assert(out.ptr[out.len - 1] == '\n');
	ck_assert(span_is(span_from(span_first(buf_span(&out), out.len - 1), 6), EXAMPLE));
	buf_free(&scratch);
	buf_free(&out);
}
END_TEST

START_TEST(every_field_survives)
{
	struct chunk c = {
		.host = SPAN_LITERAL("h"),
		.service = SPAN_LITERAL("prod.cart"),
		.instance = SPAN_LITERAL("cart-7d9f4-x2"),
		.path = SPAN_LITERAL("/a \"quoted\"\\\n/caf\xc3\xa9"),
		.ino = UINT64_MAX,
		.btime_ns = INT64_MIN,
		.start = 10,
		.from = 100,
		.to = UINT64_MAX,
		.base = UINT64_MAX - 1,
		.crc_from = UINT64_MAX,
		.crc = 1,
		.dropped = UINT64_C(1) << 63,
		.state = SPAN_LITERAL("{\"h\":1}\0\x01"),
		.loss = SPAN_LITERAL("head_gone"),
		.repair = true,
		.ended = true,
	};
	memset(c.stream.bytes, 0xab, sizeof(c.stream.bytes));
	static const char golden[] =
		"{\"stream\":\"abababababababababababababababab\",\"host\":\"h\",\"service\":"
		"\"prod.cart\","
		"\"instance\":\"cart-7d9f4-x2\",\"path\":\"/a \\\"quoted\\\"\\\\\\n/caf\xc3\xa9\","
		"\"ino\":\"18446744073709551615\",\"btime\":\"-9223372036854775808\",\"start\":10,"
		"\"from\":100,\"to\":18446744073709551615,\"base\":18446744073709551614,"
		"\"crc_from\":\"ffffffffffffffff\",\"crc\":\"0000000000000001\",\"lines\":0,"
		"\"dropped\":9223372036854775808,\"state\":\"{\\\"h\\\":1}\\u0000\\u0001\","
		"\"loss\":\"head_gone\",\"repair\":true,\"ended\":true,\"bytes\":0}\n";
	struct buf out = BUF_EMPTY, scratch = BUF_EMPTY;
	ck_assert_int_eq(chunk_encode(&c, &out), 0);
	ck_assert(span_is(buf_span(&out), golden));
	struct chunk d;
	const char *why;
	ck_assert_int_eq(decode(span_first(buf_span(&out), out.len - 1), &scratch, &d, &why), 0);
	ck_assert(stream_id_equal(&c.stream, &d.stream));
	ck_assert(span_equal(c.host, d.host) && span_equal(c.service, d.service));
	ck_assert(span_equal(c.instance, d.instance) && span_equal(c.path, d.path));
	ck_assert(c.ino == d.ino && c.btime_ns == d.btime_ns && c.start == d.start);
	ck_assert(c.from == d.from && c.to == d.to && c.base == d.base);
	ck_assert(c.crc_from == d.crc_from && c.crc == d.crc && c.dropped == d.dropped);
	ck_assert(span_equal(c.state, d.state) && span_equal(c.loss, d.loss));
	ck_assert(d.repair && d.ended && d.lines == 0 && d.bytes == 0);
	buf_free(&out);
	buf_free(&scratch);
}
END_TEST

/* The example with one piece of its text replaced by another. `fault` is a part of what is said;
 * NULL: it is fine. */
static const struct {
	const char *find, *replace, *fault;
} CHANGES[] = {
	/* Any order, any white space, unknown keys, nested ones too. */
	{"\"start\":0,\"from\":0,", "\"from\": 0 ,\t\"start\":0,", NULL},
	{"{", " { \"x\":1,\"y\":[{\"x\":[]}],\"z\":{\"stream\":1},", NULL},
	{"5430}", "5430,\"later\":\"\\u0041\"}", NULL},
	{"\"from\":0", "\"fro\\u006d\":0", NULL},
	{"web-01", "w\\u0065b-01", NULL},
	/* Optional keys. */
	{"\"base\":0,", "", NULL},
	{"\"dropped\":0,", "", NULL},
	{"\"state\":\"\",", "", NULL},
	{"\"dropped\":0,", "\"repair\":false,\"ended\":false,", NULL},
	{"\"dropped\":0,", "\"repair\":true,\"ended\":true,", NULL},
	{"\"lines\":20,\"dropped\":0,\"state\":\"\",\"bytes\":5430",
	 "\"lines\":0,\"loss\":\"truncated\",\"bytes\":0", NULL},
	{"\"to\":5120", "\"to\":0", NULL},
	{"\"ino\":\"131\"", "\"ino\":\"18446744073709551615\"", NULL},
	{"1795327401225242264", "-1", NULL},
	{"1795327401225242264", "0", NULL},
	/* Missing ones. */
	{"\"stream\":\"" STREAM "\",", "", "stream: missing"},
	{"\"host\":\"web-01\",", "", "host: missing"},
	{"\"service\":\"checkout\",", "", "service: missing"},
	{"\"instance\":\"\",", "", "instance: missing"},
	{"\"path\":\"/var/log/checkout.log\",", "", "path: missing"},
	{"\"ino\":\"131\",", "", "ino: missing"},
	{"\"btime\":\"1795327401225242264\",", "", "btime: missing"},
	{"\"start\":0,", "", "start: missing"},
	{"\"from\":0,", "", "from: missing"},
	{"\"to\":5120,", "", "to: missing"},
	{"\"crc_from\":\"0000000000000000\",", "", "crc_from: missing"},
	{"\"crc\":\"995dc9bbdf1939fa\",", "", "crc: missing"},
	{"\"lines\":20,", "", "lines: missing"},
	{",\"bytes\":5430", "", "bytes: missing"},
	/* Repeated ones, also when they say the same, also unknown ones, however written. */
	{"5430}", "5430,\"bytes\":5430}", "bytes: repeated"},
	{"5430}", "5430,\"fro\\u006d\":0}", "from: repeated"},
	{"5430}", "5430,\"x\":1,\"y\":2,\"x\":3}", "unknown key is repeated"},
	{"5430}", "5430,\"x\":1,\"y\":2,\"\\u0078\":3}", "unknown key is repeated"},
	{"5430}", "5430,\"\":1,\"\":3}", "unknown key is repeated"},
	{"\"dropped\":0,", "\"repair\":true,\"repair\":false,", "repair: repeated"},
	/* Wrong forms. */
	{"\"" STREAM "\"", "\"9F2C00ff10a1b2c3d4e5f60718293a4b\"", "stream: not"},
	{"\"" STREAM "\"", "\"9f2c\"", "stream: not"},
	{"\"" STREAM "\"", "0", "stream: not"},
	{"\"web-01\"", "1", "host: not"},
	{"\"web-01\"", "null", "host: not"},
	{"\"checkout\"", "[\"checkout\"]", "service: not"},
	{"\"instance\":\"\"", "\"instance\":null", "instance: not"},
	{"/var/log/", "/var\\u0000/log/", "path: a NUL"},
	{"\"131\"", "131", "ino: not"},
	{"\"131\"", "\"-131\"", "ino: not"},
	{"\"131\"", "\"\"", "ino: not"},
	{"\"131\"", "\"0x83\"", "ino: not"},
	{"\"131\"", "\" 131\"", "ino: not"},
	{"\"131\"", "\"18446744073709551616\"", "ino: not"},
	{"\"1795327401225242264\"", "1795327401225242264", "btime: not"},
	{"\"1795327401225242264\"", "\"9223372036854775808\"", "btime: not"},
	{"\"1795327401225242264\"", "\"1.5\"", "btime: not"},
	{"\"start\":0", "\"start\":\"0\"", "start: not"},
	{"\"start\":0", "\"start\":0.0", "start: not"},
	{"\"start\":0", "\"start\":-0", "start: not"},
	{"\"start\":0", "\"start\":0e1", "start: not"},
	{"\"to\":5120", "\"to\":-1", "to: not"},
	{"\"to\":5120", "\"to\":18446744073709551616", "to: not"},
	{"\"to\":5120", "\"to\":5.12e3", "to: not"},
	{"\"to\":5120", "\"to\":true", "to: not"},
	{"995dc9bbdf1939fa", "995DC9BBDF1939FA", "crc: not"},
	{"995dc9bbdf1939fa", "995dc9bbdf1939f", "crc: not"},
	{"\"crc_from\":\"0000000000000000\"", "\"crc_from\":0", "crc_from: not"},
	{"\"state\":\"\"", "\"state\":{}", "state: not"},
	{"\"dropped\":0,", "\"repair\":1,", "repair: neither"},
	{"\"dropped\":0,", "\"ended\":\"true\",", "ended: neither"},
	{"\"dropped\":0,", "\"loss\":true,", "loss: not"},
	/* Values that cannot be together. */
	{"\"start\":0", "\"start\":1", "from lies before start"},
	{"\"to\":5120", "\"to\":0", NULL},
	{"\"from\":0,\"to\":5120", "\"from\":5121,\"to\":5120", "to lies before from"},
	{"\"base\":0", "\"base\":1", "base lies behind from"},
	{"\"from\":0,\"to\":5120,\"base\":0", "\"from\":100,\"to\":5120,\"base\":100", NULL},
	{"\"base\":0,\"crc_from\":\"0000000000000000\",\"crc\":\"995dc9bbdf1939fa\",\"lines\":20,"
	 "\"dropped\":0,\"state\":\"\",\"bytes\":5430",
	 "\"base\":5120,\"crc_from\":\"0000000000000000\",\"crc\":\"0000000000000000\",\"lines\":0,"
	 "\"loss\":\"deleted\",\"bytes\":0",
	 NULL},
	{"\"base\":0,\"crc_from\":\"0000000000000000\",\"crc\":\"995dc9bbdf1939fa\",\"lines\":20,"
	 "\"dropped\":0,\"state\":\"\",\"bytes\":5430",
	 "\"base\":5121,\"crc_from\":\"0000000000000000\",\"crc\":\"0000000000000000\",\"lines\":0,"
	 "\"loss\":\"deleted\",\"bytes\":0",
	 "base lies behind to"},
	{"\"dropped\":0,", "\"loss\":\"limit\",", "a loss has no lines"},
	{"\"lines\":20,", "\"loss\":\"limit\",\"lines\":0,", "a loss has no lines"},
	{"\"dropped\":0,", "\"loss\":\"\",", "loss: not a word"},
	{"\"dropped\":0,", "\"loss\":\"Limit\",", "loss: not a word"},
	{"\"dropped\":0,", "\"loss\":\"two words\",", "loss: not a word"},
	/* No object. */
	{"{", "[", "not a JSON object"},
	{"5430}", "5430", "not a JSON object"},
	{"5430}", "5430}}", "not a JSON object"},
	{"5430}", "5430,}", "not a JSON object"},
	{"web-01", "web\xff", "not a JSON object"},
	{"web-01", "web\n", "not a JSON object"},
};

static struct buf changed(const char *find, const char *replace)
{
	struct buf out = BUF_EMPTY;
	const char *at = strstr(EXAMPLE, find);
	ck_assert_msg(at != NULL, "%s is not in the example", find);
	ck_assert_int_eq(buf_add(&out, EXAMPLE, (size_t)(at - EXAMPLE)), 0);
	ck_assert_int_eq(buf_add_str(&out, replace), 0);
	ck_assert_int_eq(buf_add_str(&out, at + strlen(find)), 0);
	return out;
}

START_TEST(headers_are_checked)
{
	struct buf header = changed(CHANGES[_i].find, CHANGES[_i].replace), scratch = BUF_EMPTY;
	struct chunk c = {.bytes = 77};
	const char *why;
	int r = decode(buf_span(&header), &scratch, &c, &why);
	if (CHANGES[_i].fault) {
		ck_assert_int_eq(r, -EBADMSG);
		ck_assert_msg(strstr(why, CHANGES[_i].fault) != NULL, "%s", why);
		ck_assert_uint_eq(c.bytes, 77);
	} else {
		ck_assert_msg(r == 0, "%s", why);
		ck_assert(span_is(c.host, "web-01"));
	}
	buf_free(&header);
	buf_free(&scratch);
}
END_TEST

START_TEST(defaults)
{
	struct buf header = changed("\"start\":0,\"from\":0,\"to\":5120,\"base\":0,",
				    "\"start\":100,\"from\":200,\"to\":5120,");
	struct buf scratch = BUF_EMPTY;
	struct chunk c;
	const char *why;
	ck_assert_int_eq(decode(buf_span(&header), &scratch, &c, &why), 0);
	ck_assert_uint_eq(c.base, 100);
	buf_free(&header);
	buf_free(&scratch);
}
END_TEST

/* `unit` as often as it takes to make `len` characters in the place of an empty string. */
static struct buf with_long(const char *key, const char *unit, size_t times)
{
	struct buf value = BUF_EMPTY, find = BUF_EMPTY;
	ck_assert_int_eq(buf_printf(&value, "\"%s\":\"", key), 0);
	for (size_t i = 0; i < times; i++)
		if (buf_add_str(&value, unit) < 0)
			ck_abort();
	ck_assert_int_eq(buf_add_str(&value, "\","), 0);
	ck_assert_int_eq(buf_printf(&find, "\"%s\":\"", key), 0);
	const char *at = strstr(EXAMPLE, buf_cstr(&find));
	const char *end = strchr(at, ',') + 1;
	buf_clear(&find);
	ck_assert_int_eq(buf_add(&find, at, (size_t)(end - at)), 0);
	struct buf header = changed(buf_cstr(&find), buf_cstr(&value));
	buf_free(&value);
	buf_free(&find);
	return header;
}

static const struct {
	const char *key, *unit;
	size_t times;
	bool fits;
} LENGTHS[] = {
	{"host", "h", 1000, true}, /* the caller's to refuse */
	{"host", "\\u0068", 1000, true},
	{"service", "s", 1000, true},
	{"instance", "i", 1000, true},
	{"path", "p", 4096, true},
	{"path", "p", 4097, false},
	{"path", "\xe2\x82\xac", 1365, true},
	{"path", "\xe2\x82\xac", 1366, false},
	{"state", "s", 1024, true},
	{"state", "s", 1025, false},
	{"state", "\\n", 1024, true},
	{"state", "\\n", 1025, false},
};

START_TEST(lengths_are_limited)
{
	struct buf header = with_long(LENGTHS[_i].key, LENGTHS[_i].unit, LENGTHS[_i].times);
	struct buf scratch = BUF_EMPTY;
	struct chunk c;
	const char *why;
	int r = decode(buf_span(&header), &scratch, &c, &why);
	ck_assert_int_eq(r, LENGTHS[_i].fits ? 0 : -EBADMSG);
	if (r < 0)
		ck_assert_msg(strstr(why, "too long") != NULL, "%s", why);
	buf_free(&header);
	buf_free(&scratch);
}
END_TEST

START_TEST(a_header_is_at_most_8_kib)
{
	for (size_t len = CHUNK_HEADER_MAX - 3; len < CHUNK_HEADER_MAX + 3; len++) {
		struct buf header = BUF_EMPTY, scratch = BUF_EMPTY;
		ck_assert_int_eq(buf_add_str(&header, EXAMPLE), 0);
		while (header.len < len)
			if (buf_add_char(&header, ' ') < 0)
				ck_abort();
		struct chunk c;
		const char *why;
		int r = decode(buf_span(&header), &scratch, &c, &why);
		ck_assert_int_eq(r, len + 1 <= CHUNK_HEADER_MAX ? 0 : -EBADMSG);
		buf_free(&header);
		buf_free(&scratch);
	}
}
END_TEST

/* As many unknown keys as there is room for. */
START_TEST(many_unknown_keys)
{
	for (int repeat = 0; repeat < 2; repeat++) {
		struct buf header = BUF_EMPTY, scratch = BUF_EMPTY;
		ck_assert_int_eq(buf_add(&header, EXAMPLE, sizeof(EXAMPLE) - 2), 0);
		for (unsigned i = 0; header.len < CHUNK_HEADER_MAX - 20; i++)
			if (buf_printf(&header, ",\"%x\":0", i) < 0)
				ck_abort();
		ck_assert_int_eq(buf_add_str(&header, repeat ? ",\"2a\":0}" : "}"), 0);
		struct chunk c;
		const char *why;
		ck_assert_int_eq(decode(buf_span(&header), &scratch, &c, &why),
				 repeat ? -EBADMSG : 0);
		buf_free(&header);
		buf_free(&scratch);
	}
}
END_TEST

/* Every string of a header in escapes, so that all of them share the scratch. */
START_TEST(strings_share_the_scratch)
{
	static const char text[] =
		"{\"\\u0073tream\":\"\\u0039f2c00ff10a1b2c3d4e5f60718293a4b\",\"host\":"
		"\"\\u0077eb\","
		"\"unknown\\n1\":0,\"service\":\"\\u0073\",\"instance\":\"\\u0069\",\"path\":\"\\/"
		"p\","
		"\"unknown\\n2\":0,\"ino\":\"\\u0031\",\"btime\":\"\\u0032\",\"start\":0,\"from\":"
		"0,"
		"\"to\":1,\"crc_from\":\"\\u0030000000000000000\",\"crc\":"
		"\"\\u0031000000000000000\","
		"\"lines\":0,\"loss\":\"\\u006cost\",\"state\":\"\\ud83d\\udc2a\",\"bytes\":0}";
	struct buf scratch = BUF_EMPTY;
	ck_assert_int_eq(buf_add_str(&scratch, "what stood here"), 0);
	struct chunk c;
	const char *why;
	int r = decode(span_of(text), &scratch, &c, &why);
	ck_assert_msg(r == 0, "%s", why);
	ck_assert(span_is(c.host, "web"));
	ck_assert(span_is(c.service, "s"));
	ck_assert(span_is(c.instance, "i"));
	ck_assert(span_is(c.path, "/p"));
	ck_assert_uint_eq(c.ino, 1);
	ck_assert_int_eq(c.btime_ns, 2);
	ck_assert_uint_eq(c.crc, UINT64_C(0x1000000000000000));
	ck_assert(span_is(c.loss, "lost"));
	ck_assert(span_is(c.state, "\xf0\x9f\x90\xaa"));
	ck_assert(span_starts_with(buf_span(&scratch), SPAN_LITERAL("web")));
	buf_free(&scratch);
}
END_TEST

/* No path may keep a file from being shipped. */
static const struct {
	const char *unit;
	size_t times, state;
	size_t kept; /* bytes of the decoded path; 0: all of it */
} PATHS[] = {
	{"p", 4096, 0, 0},
	{"p", 4097, 0, 4096},
	{"\xff", 10, 0, 40},
	{"\xff", 4096, 0, 3276},
	{"\n", 4095, 0, 2048},
	{"\x01", 4095, 0, 682},
	{"\xe2\x82\xac", 1366, 0, 4095},
	{"p", 4096, 1024, 0},
};

START_TEST(any_path_is_encoded)
{
	struct buf path = BUF_EMPTY, state = BUF_EMPTY, out = BUF_EMPTY, scratch = BUF_EMPTY;
	for (size_t i = 0; i < PATHS[_i].times; i++)
		if (buf_add_str(&path, PATHS[_i].unit) < 0)
			ck_abort();
	for (size_t i = 0; i < PATHS[_i].state; i++)
		if (buf_add_char(&state, '"') < 0)
			ck_abort();
	struct chunk c = {.path = buf_span(&path), .state = buf_span(&state)}, d;
	const char *why = "";
	ck_assert_int_eq(chunk_encode(&c, &out), 0);
	ck_assert_uint_le(out.len, CHUNK_HEADER_MAX);
	int r = decode(span_first(buf_span(&out), out.len - 1), &scratch, &d, &why);
	ck_assert_msg(r == 0, "%s", why);
	ck_assert_uint_eq(d.path.len, PATHS[_i].kept ? PATHS[_i].kept : path.len);
	ck_assert(span_equal(d.state, buf_span(&state)));
	buf_free(&path);
	buf_free(&state);
	buf_free(&out);
	buf_free(&scratch);
}
END_TEST

START_TEST(a_state_that_leaves_less_room_for_the_path)
{
	char state[1024], path[4096];
	memset(state, '\x01', sizeof(state)); /* 6 KiB in JSON */
	memset(path, 'p', sizeof(path));
	struct chunk c = {.path = span_make(path, sizeof(path)),
			  .state = span_make(state, sizeof(state))};
	struct buf out = BUF_EMPTY;
	ck_assert_int_eq(chunk_encode(&c, &out), 0);
	ck_assert_uint_eq(out.len, CHUNK_HEADER_MAX);
	/* One that is too long for any header. */
	static char more[32768];
	memset(more, 's', sizeof(more));
	c.state = span_make(more, sizeof(more));
	ck_assert_int_eq(chunk_encode(&c, &out), -EMSGSIZE);
	ck_assert_uint_eq(out.len, CHUNK_HEADER_MAX);
	c.state = span_make(more, CHUNK_HEADER_MAX);
	ck_assert_int_eq(chunk_encode(&c, &out), -EMSGSIZE);
	buf_free(&out);
	out = (struct buf){.max = 100};
	ck_assert_int_eq(chunk_encode(&(struct chunk){0}, &out), -EMSGSIZE);
	ck_assert_uint_eq(out.len, 0);
	buf_free(&out);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("chunk");
	tcase_add_test(tc, the_example_both_ways);
	tcase_add_test(tc, every_field_survives);
	tcase_add_loop_test(tc, headers_are_checked, 0, COUNT(CHANGES));
	tcase_add_test(tc, defaults);
	tcase_add_loop_test(tc, lengths_are_limited, 0, COUNT(LENGTHS));
	tcase_add_test(tc, a_header_is_at_most_8_kib);
	tcase_add_test(tc, many_unknown_keys);
	tcase_add_test(tc, strings_share_the_scratch);
	tcase_add_loop_test(tc, any_path_is_encoded, 0, COUNT(PATHS));
	tcase_add_test(tc, a_state_that_leaves_less_room_for_the_path);
	Suite *s = suite_create("chunk");
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
