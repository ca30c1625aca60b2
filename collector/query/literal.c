/* Substring search at memory speed: the innermost loop of every question to live files.
 *
 * Two bytes of the needle, the rarest by a table made from logs, are compared at 64 (AVX2) or 16
 * (SSE2) places at a time; only where both agree is the needle compared as a whole. Measured in the
 * second level cache: 20 GB/s with two probes, 15 with three, 5 to 12 with memmem. Without SIMD,
 * memchr on the rarest byte does the same. Cannot fail but for memory. */
#include "collector/query/literal.h"

#include <errno.h>
#include <stdlib.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* How frequent a byte is in logs: 0 not at all, 255 every tenth byte; logarithmic. From samples of
 * 16 systems' logs and from JSON lines in equal parts. */
static const uint8_t frequency[256] = {
	0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   200, 0,   0,   192, 0,   0,   0,   0,
	0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   245, 94,  245, 161,
	147, 64,  63,  123, 171, 171, 159, 87,  222, 230, 226, 206, 244, 241, 237, 227, 227, 227,
	226, 223, 222, 222, 236, 140, 123, 184, 119, 65,  156, 181, 173, 185, 177, 180, 193, 147,
	155, 186, 170, 161, 175, 179, 191, 179, 173, 143, 188, 192, 199, 167, 149, 170, 119, 99,
	193, 188, 94,  188, 60,  208, 60,  238, 215, 230, 228, 244, 213, 214, 210, 227, 145, 197,
	220, 219, 226, 230, 212, 186, 232, 231, 235, 223, 204, 196, 185, 197, 147, 179, 163, 179,
	144, 0,   40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,
	40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,
	40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,
	40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  40,  30,  30,  30,  30,  30,  30,
	30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,
	30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,
	30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,
	30,  30,  30,  30,
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool equal_at(const struct literal *l, const char *at)
{
	if (!l->ignore_case)
		return memcmp(at, l->needle.ptr, l->needle.len) == 0;
	for (size_t i = 0; i < l->needle.len; i++)
		if (lower(at[i]) != l->needle.ptr[i])
			return false;
	return true;
}

/* For what is too short for a vector, and for machines without them. */
static const char *find_bytewise(const struct literal *l, const char *hay, size_t len)
{
	size_t at = l->probe_at[0];
	char c = l->needle.ptr[at];
	size_t starts = len - l->needle.len + 1;
	if (l->ignore_case && is_letter(c)) {
		for (size_t i = 0; i < starts; i++)
			if (lower(hay[i + at]) == c && equal_at(l, hay + i))
				return hay + i;
		return NULL;
	}
	for (size_t i = 0; i < starts; i++) {
		const char *hit = memchr(hay + i + at, c, starts - i);
		if (!hit)
			return NULL;
		i = (size_t)(hit - hay) - at;
		if (equal_at(l, hay + i))
			return hay + i;
	}
	return NULL;
}

#if defined(__x86_64__)

/* Letters are compared with bit 5 set on both sides when case does not matter: no other byte
 * becomes that letter by it. */
static char probe_fold(const struct literal *l, size_t i)
{
	return l->ignore_case && is_letter(l->needle.ptr[l->probe_at[i]]) ? 0x20 : 0;
}

/* Looks at the places of `mask`, bit n being hay + n. By itself, so that the search keeps its
 * registers. */
__attribute__((noinline)) static const char *first_of(const struct literal *l, const char *hay,
						      uint64_t mask)
{
	for (; mask; mask &= mask - 1) {
		const char *at = hay + __builtin_ctzll(mask);
		if (equal_at(l, at))
			return at;
	}
	return NULL;
}

__attribute__((target("avx2"), always_inline)) static inline __m256i
probe_avx2(const char *p, __m256i c, __m256i f, bool fold)
{
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
	return _mm256_cmpeq_epi8(fold ? _mm256_or_si256(v, f) : v, c);
}

/* Two vectors a round: the test and the branch are then half of what they cost with one. Memory
 * that is not in a cache is asked for a page ahead, for the processor's own foresight ends with the
 * page: 30 % of the time over mapped files. */
__attribute__((target("avx2"), always_inline)) static inline const char *
search_avx2(const struct literal *l, const char *hay, size_t len, bool fold)
{
	enum { WIDTH = 32, STEP = 2 * WIDTH, AHEAD = 4096 };
	const char *p0 = hay + l->probe_at[0], *p1 = hay + l->probe_at[1];
	const __m256i c0 = _mm256_set1_epi8(l->needle.ptr[l->probe_at[0]]);
	const __m256i c1 = _mm256_set1_epi8(l->needle.ptr[l->probe_at[1]]);
	const __m256i f0 = _mm256_set1_epi8(probe_fold(l, 0));
	const __m256i f1 = _mm256_set1_epi8(probe_fold(l, 1));
	size_t starts = len - l->needle.len + 1, i = 0;
	for (; i + STEP <= starts; i += STEP) {
		_mm_prefetch(p0 + i + AHEAD, _MM_HINT_T0);
		__m256i a = _mm256_and_si256(probe_avx2(p0 + i, c0, f0, fold),
					     probe_avx2(p1 + i, c1, f1, fold));
		__m256i b = _mm256_and_si256(probe_avx2(p0 + i + WIDTH, c0, f0, fold),
					     probe_avx2(p1 + i + WIDTH, c1, f1, fold));
		__m256i any = _mm256_or_si256(a, b);
		if (_mm256_testz_si256(any, any))
			continue;
		uint64_t mask = (uint32_t)_mm256_movemask_epi8(a) |
				(uint64_t)(uint32_t)_mm256_movemask_epi8(b) << WIDTH;
		const char *at = first_of(l, hay + i, mask);
		if (at)
			return at;
	}
	return i < starts ? find_bytewise(l, hay + i, len - i) : NULL;
}

__attribute__((target("avx2"))) static const char *find_avx2(const struct literal *l,
							     const char *hay, size_t len)
{
	return search_avx2(l, hay, len, false);
}

__attribute__((target("avx2"))) static const char *find_avx2_folded(const struct literal *l,
								    const char *hay, size_t len)
{
	return search_avx2(l, hay, len, true);
}

static inline __m128i probe_sse2(const char *p0, const char *p1, __m128i c0, __m128i c1, __m128i f0,
				 __m128i f1)
{
	__m128i v0 = _mm_loadu_si128((const __m128i *)(const void *)p0);
	__m128i v1 = _mm_loadu_si128((const __m128i *)(const void *)p1);
	return _mm_and_si128(_mm_cmpeq_epi8(_mm_or_si128(v0, f0), c0),
			     _mm_cmpeq_epi8(_mm_or_si128(v1, f1), c1));
}

static const char *find_sse2(const struct literal *l, const char *hay, size_t len)
{
	enum { WIDTH = 16 };
	const char *p0 = hay + l->probe_at[0], *p1 = hay + l->probe_at[1];
	const __m128i c0 = _mm_set1_epi8(l->needle.ptr[l->probe_at[0]]);
	const __m128i c1 = _mm_set1_epi8(l->needle.ptr[l->probe_at[1]]);
	const __m128i f0 = _mm_set1_epi8(probe_fold(l, 0));
	const __m128i f1 = _mm_set1_epi8(probe_fold(l, 1));
	size_t starts = len - l->needle.len + 1, i = 0;
	for (; i + WIDTH <= starts; i += WIDTH) {
		__m128i eq = probe_sse2(p0 + i, p1 + i, c0, c1, f0, f1);
		const char *at = first_of(l, hay + i, (uint64_t)_mm_movemask_epi8(eq));
		if (at)
			return at;
	}
	return i < starts ? find_bytewise(l, hay + i, len - i) : NULL;
}

static void choose_find(struct literal *l)
{
	if (!__builtin_cpu_supports("avx2"))
		l->find = find_sse2;
	else
		l->find = l->ignore_case ? find_avx2_folded : find_avx2;
}

#else

static void choose_find(struct literal *l)
{
	l->find = find_bytewise;
}

#endif

/* The rarest bytes at different places, and different bytes where there are enough of them. */
static void choose_probes(struct literal *l)
{
	for (size_t p = 0; p < LITERAL_PROBES; p++) {
		size_t best = l->probe_at[0];
		unsigned best_cost = UINT32_MAX;
		for (size_t i = 0; i < l->needle.len; i++) {
			unsigned cost = frequency[(uint8_t)l->needle.ptr[i]];
			for (size_t q = 0; q < p; q++) {
				if (l->probe_at[q] == i)
					cost += 1000;
				else if (l->needle.ptr[l->probe_at[q]] == l->needle.ptr[i])
					cost += 20;
			}
			if (cost < best_cost) {
				best = i;
				best_cost = cost;
			}
		}
		l->probe_at[p] = best;
	}
}

int literal_init(struct literal *l, struct span needle, bool ignore_case)
{
	char *copy = malloc(needle.len);
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < needle.len; i++)
		copy[i] = ignore_case ? lower(needle.ptr[i]) : needle.ptr[i];
	*l = (struct literal){.needle = span_make(copy, needle.len), .ignore_case = ignore_case};
	choose_probes(l);
	choose_find(l);
	return 0;
}

void literal_clear(struct literal *l)
{
	free((char *)l->needle.ptr);
	*l = (struct literal){0};
}
