/* Calendar time: see civil.h. The agent formats and the collector parses one time a line,
 * so both run without a loop over digits, without signed division and without a cache.
 *
 * Invariant: all arithmetic counts from 0000-03-01 (so that the leap day is the last of
 * its year) in unsigned numbers. */
#include "common/civil.h"

#include "common/num.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>

enum {
	DAYS_PER_ERA = 146097,  /* 400 years */
	DAYS_TO_EPOCH = 719468, /* from 0000-03-01 to 1970-01-01 */
	/* Whole eras that make the years before 0 positive where those are taken. */
	SHIFT_YEARS = 400000,
	SHIFT_DAYS = SHIFT_YEARS / 400 * DAYS_PER_ERA,
};

struct date {
	unsigned year, month, day;
};

/* civil_from_days for days since 0000-03-01. */
static inline struct date date_of(uint32_t days)
{
	uint32_t era = days / DAYS_PER_ERA;
	uint32_t doe = days % DAYS_PER_ERA;
	uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint32_t mp = (5 * doy + 2) / 153; /* 0 is March */
	uint32_t month = mp < 10 ? mp + 3 : mp - 9;
	return (struct date){
		.year = yoe + era * 400 + (month <= 2),
		.month = month,
		.day = doy - (153 * mp + 2) / 5 + 1,
	};
}

/* days_from_civil for years from 0 on: days since 0000-03-01. */
static inline uint32_t days_of(unsigned year, unsigned month, unsigned day)
{
	uint32_t y = year - (month <= 2);
	uint32_t era = y / 400;
	uint32_t yoe = y % 400;
	uint32_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * DAYS_PER_ERA + yoe * 365 + yoe / 4 - yoe / 100 + doy;
}

int32_t civil_days(int year, unsigned month, unsigned day)
{
	assert(year >= -SHIFT_YEARS && year <= SHIFT_YEARS && month >= 1 && month <= 12);
	return (int32_t)days_of((unsigned)(year + SHIFT_YEARS), month, day) -
	       (SHIFT_DAYS + DAYS_TO_EPOCH);
}

void civil_from_days(int32_t days, int *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	assert(days >= -SHIFT_DAYS && days <= SHIFT_DAYS);
	struct date d = date_of((uint32_t)(days + SHIFT_DAYS + DAYS_TO_EPOCH));
	*ret_year = (int)d.year - SHIFT_YEARS;
	*ret_month = d.month;
	*ret_day = d.day;
}

static inline bool is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

bool civil_valid_date(int year, unsigned month, unsigned day)
{
	static const uint8_t last[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1)
		return false;
	return day <= last[month] || (month == 2 && day == 29 && is_leap((unsigned)year));
}

int32_t civil_day_of_us(int64_t us)
{
	int64_t day = us / NUM_DAY_US;
	return (int32_t)(us % NUM_DAY_US < 0 ? day - 1 : day);
}

static const char digit_pairs[200] = {"00010203040506070809101112131415161718192021222324"
				      "25262728293031323334353637383940"
				      "41424344454647484950515253545556575859606162636465"
				      "66676869707172737475767778798081"
				      "828384858687888990919293949596979899"};

static inline void put2(char *dst, uint32_t v)
{
	memcpy(dst, digit_pairs + 2 * (size_t)v, 2);
}

static inline void put_date(char dst[CIVIL_DAY_LEN], struct date d)
{
	put2(dst, d.year / 100);
	put2(dst + 2, d.year % 100);
	dst[4] = '-';
	put2(dst + 5, d.month);
	dst[7] = '-';
	put2(dst + 8, d.day);
}

void civil_format_us(char dst[CIVIL_TIME_LEN], int64_t us)
{
	assert(us >= CIVIL_MIN_US && us <= CIVIL_MAX_US);
	uint64_t since = (uint64_t)(us + DAYS_TO_EPOCH * NUM_DAY_US);
	uint32_t days = (uint32_t)(since / (uint64_t)NUM_DAY_US);
	uint64_t in_day = since - days * (uint64_t)NUM_DAY_US;
	uint32_t second = (uint32_t)(in_day / (uint64_t)NUM_SEC_US);
	uint32_t micro = (uint32_t)(in_day - second * (uint64_t)NUM_SEC_US);

	put_date(dst, date_of(days));
	dst[10] = 'T';
	put2(dst + 11, second / 3600);
	dst[13] = ':';
	put2(dst + 14, second / 60 % 60);
	dst[16] = ':';
	put2(dst + 17, second % 60);
	dst[19] = '.';
	put2(dst + 20, micro / 10000);
	put2(dst + 22, micro / 100 % 100);
	put2(dst + 24, micro % 100);
	dst[26] = 'Z';
}

/* Eight bytes at a time, as in Daniel Lemire's "Parsing timestamps quickly": the bytes are held against a pattern which
 * has '0' where a digit stands, so that a digit's value remains and a separator leaves 0. Byte 0 is the lowest. */
static inline uint64_t load8(const char *s)
{
	uint64_t v;
	memcpy(&v, s, sizeof(v));
	return le64toh(v);
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Values of digits, 0 in the separators' places; adds to *bad what is neither. */
static inline uint64_t digits_of(const char *s, const char *pattern, uint64_t separators,
				 uint64_t *bad)
{
	uint64_t v = load8(s) ^ load8(pattern);
	*bad |= ((v | (v + EACH(6))) & EACH(0xf0)) | (v & separators);
	return v;
}

/* In each byte: ten times its own digit and the next byte's. */
static inline uint64_t pairs_of(uint64_t digits)
{
	return digits * 10 + (digits >> 8);
}

static inline uint32_t pair_at(uint64_t pairs, unsigned byte)
{
	return pairs >> (8 * byte) & 0xff;
}

/* The byte of a separator. */
static inline uint64_t at(unsigned byte)
{
	return UINT64_C(0xff) << (8 * byte);
}

static bool get_date(const char *s, struct date *ret)
{
	uint64_t bad = 0;
	uint64_t year_month = pairs_of(digits_of(s, "0000-00-", at(4) | at(7), &bad));
	uint32_t tens = (uint8_t)s[8] - (uint32_t)'0', ones = (uint8_t)s[9] - (uint32_t)'0';
	struct date d = {
		.year = pair_at(year_month, 0) * 100 + pair_at(year_month, 2),
		.month = pair_at(year_month, 5),
		.day = 10 * tens + ones,
	};
	if (bad || tens > 9 || ones > 9 || !civil_valid_date((int)d.year, d.month, d.day))
		return false;
	*ret = d;
	return true;
}

/* 2026-11-22T05:40:00.123456Z as "2026-11-", "22T05:40", ":00.1234" and, once more in part, ".123456Z". */
int civil_parse_us(struct span s, int64_t *ret_us)
{
	if (s.len != CIVIL_TIME_LEN)
		return -EINVAL;
	uint64_t bad = 0;
	uint64_t year_month = pairs_of(digits_of(s.ptr, "0000-00-", at(4) | at(7), &bad));
	uint64_t day_minute = pairs_of(digits_of(s.ptr + 8, "00T00:00", at(2) | at(5), &bad));
	uint64_t seconds = pairs_of(digits_of(s.ptr + 16, ":00.0000", at(0) | at(3), &bad));
	uint64_t fraction = pairs_of(digits_of(s.ptr + 19, ".000000Z", at(0) | at(7), &bad));
	uint32_t year = pair_at(year_month, 0) * 100 + pair_at(year_month, 2);
	uint32_t month = pair_at(year_month, 5), day = pair_at(day_minute, 0);
	uint32_t hour = pair_at(day_minute, 3), minute = pair_at(day_minute, 6);
	uint32_t second = pair_at(seconds, 1);
	if (bad || hour > 23 || minute > 59 || second > 59 ||
	    !civil_valid_date((int)year, month, day))
		return -EINVAL;
	int64_t days = (int64_t)days_of(year, month, day) - DAYS_TO_EPOCH;
	uint32_t micro =
		pair_at(fraction, 1) * 10000 + pair_at(fraction, 3) * 100 + pair_at(fraction, 5);
	*ret_us = days * NUM_DAY_US + (hour * 3600 + minute * 60 + second) * NUM_SEC_US + micro;
	return 0;
}

void civil_format_day(char dst[CIVIL_DAY_LEN], int32_t day)
{
	assert(day >= CIVIL_MIN_DAY && day <= CIVIL_MAX_DAY);
	put_date(dst, date_of((uint32_t)(day + DAYS_TO_EPOCH)));
}

int civil_parse_day(struct span s, int32_t *ret_day)
{
	struct date d;
	if (s.len != CIVIL_DAY_LEN || !get_date(s.ptr, &d))
		return -EINVAL;
	*ret_day = (int32_t)days_of(d.year, d.month, d.day) - DAYS_TO_EPOCH;
	return 0;
}
