/* The hash table against a plain array as its model, with hashes from good to useless. */
#include "common/map.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

enum { KEYS = 600, STEPS = 60000 };

struct entry {
	unsigned key;
	bool in_map;
	bool seen;
};

static bool entry_equal(const void *entry, const void *key)
{
	return ((const struct entry *)entry)->key == *(const unsigned *)key;
}

static uint64_t random_state;

static uint64_t next_random(void) /* splitmix64 */
{
	uint64_t z = (random_state += 0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t hash_identity(unsigned key)
{
	return key;
}

static uint64_t hash_inodes(unsigned key)
{
	return (uint64_t)key << 40;
}

static uint64_t hash_few(unsigned key)
{
	return key % 7;
}

static uint64_t hash_constant(unsigned key)
{
	(void)key;
	return 0;
}

static uint64_t (*const hashes[])(unsigned) = {hash_identity, hash_inodes, hash_few, hash_constant};

/* Every entry of the model is found, no other is, and walking sees each once. */
static void check_whole(const struct map *m, struct entry *model, uint64_t (*hash)(unsigned))
{
	size_t count = 0, walked = 0, cursor = 0;
	for (unsigned key = 0; key < KEYS; key++) {
		void *want = model[key].in_map ? &model[key] : NULL;
		if (map_find(m, hash(key), &key) != want)
			ck_abort_msg("key %u is wrong", key);
		model[key].seen = false;
		count += model[key].in_map;
	}
	for (struct entry *e; (e = map_next(m, &cursor)) != NULL; walked++) {
		if (!e->in_map || e->seen)
			ck_abort_msg("key %u walked wrongly", e->key);
		e->seen = true;
	}
	ck_assert_uint_eq(m->count, count);
	ck_assert_uint_eq(walked, count);
}

START_TEST(as_the_model)
{
	uint64_t (*hash)(unsigned) = hashes[_i];
	static struct entry model[KEYS];
	struct map m;
	random_state = 1;
	map_init(&m, entry_equal);
	for (unsigned key = 0; key < KEYS; key++)
		model[key] = (struct entry){.key = key};
	check_whole(&m, model, hash);
	for (int step = 0; step < STEPS; step++) {
		/* Long runs of mostly adding and mostly removing. */
		bool add = next_random() % 10 < (step / 3000 % 2 ? 2 : 8);
		unsigned key = (unsigned)(next_random() % KEYS);
		struct entry *e = &model[key];
		void *want = e->in_map ? e : NULL;
		if (map_find(&m, hash(key), &key) != want)
			ck_abort_msg("step %d, key %u", step, key);
		if (add && !e->in_map) {
			if (map_add(&m, hash(key), e) < 0)
				ck_abort_msg("step %d: no memory", step);
			e->in_map = true;
		} else if (!add) {
			if (map_remove(&m, hash(key), &key) != want)
				ck_abort_msg("step %d, key %u", step, key);
			e->in_map = false;
		}
		if (step % 1000 == 0)
			check_whole(&m, model, hash);
	}
	check_whole(&m, model, hash);
	map_free(&m);
	ck_assert_uint_eq(m.count, 0);
	unsigned key = 1;
	ck_assert_ptr_null(map_find(&m, hash(key), &key));
	ck_assert_ptr_null(map_remove(&m, hash(key), &key));
}
END_TEST

START_TEST(removal_while_walking_misses_none)
{
	static struct entry model[KEYS];
	for (uint64_t round = 0; round < 200; round++) {
		struct map m;
		size_t cursor = 0;
		map_init(&m, entry_equal);
		m.seed = round * UINT64_C(0x123456789abcdef);
		for (unsigned key = 0; key < KEYS; key++) {
			model[key] = (struct entry){.key = key, .in_map = true};
			ck_assert_int_eq(map_add(&m, hashes[round % 3](key), &model[key]), 0);
		}
		for (struct entry *e; (e = map_next(&m, &cursor)) != NULL;) {
			e->seen = true;
			if (e->key % 3 == 0)
				continue;
			map_remove_at(&m, &cursor);
			e->in_map = false;
		}
		for (unsigned key = 0; key < KEYS; key++)
			if (!model[key].seen || model[key].in_map != (key % 3 == 0))
				ck_abort_msg("key %u was missed", key);
		check_whole(&m, model, hashes[round % 3]);
		map_free(&m);
	}
}
END_TEST

START_TEST(reserved_room_is_there)
{
	static struct entry model[KEYS];
	struct map m;
	map_init(&m, entry_equal);
	ck_assert_int_eq(map_reserve(&m, KEYS), 0);
	const void *slots = m.slots;
	for (unsigned key = 0; key < KEYS; key++) {
		model[key].key = key;
		ck_assert_int_eq(map_add(&m, key, &model[key]), 0);
	}
	ck_assert_ptr_eq(m.slots, slots);
	ck_assert_int_eq(map_reserve(&m, SIZE_MAX), -ENOMEM);
	ck_assert_uint_eq(m.count, KEYS);
	map_free(&m);
}
END_TEST

/* It depends on every byte, on the length and on the seed. */
START_TEST(hash_depends_on_everything)
{
	struct map m = {.seed = 42}, other = {.seed = 43};
	char text[24] = {0};
	uint64_t seen[1000];
	size_t n = 0;
	for (size_t len = 0; len <= sizeof(text); len++) {
		seen[n++] = map_hash(&m, span_make(text, len));
		seen[n++] = map_hash(&other, span_make(text, len));
		for (size_t i = 0; i < len; i++) {
			text[i] = (char)0x80;
			seen[n++] = map_hash(&m, span_make(text, len));
			text[i] = 0;
		}
	}
	ck_assert_uint_le(n, 1000);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (seen[i] == seen[k])
				ck_abort_msg("inputs %zu and %zu collide", i, k);
	ck_assert_uint_eq(map_hash(&m, span_of("abc")), map_hash(&m, span_make("abcd", 3)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map");
	TCase *tcase = tcase_create("map");
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, as_the_model, 0, sizeof(hashes) / sizeof(hashes[0]));
	tcase_add_test(tcase, removal_while_walking_misses_none);
	tcase_add_test(tcase, reserved_room_is_there);
	tcase_add_test(tcase, hash_depends_on_everything);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
