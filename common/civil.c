/* Calendar time: see civil.h. The agent formats and the collector parses one time a line, so both
 * run without a loop over digits, without signed division and without a cache.
 *
 * Invariant: all arithmetic counts from 0000-03-01 (so that the leap day is the last of its year)
 * in unsigned numbers. */
#include "common/civil.h"

#include "common/eight.h"
#include "common/num.h"

#include <assert.h>
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

static bool get_date(const char *s, struct date *ret)
{
	uint64_t pairs;
	uint32_t tens = (uint8_t)s[8] - (uint32_t)'0', ones = (uint8_t)s[9] - (uint32_t)'0';
	if (!eight_pairs(s, "0000-00-", &pairs) || tens > 9 || ones > 9)
		return false;
	struct date d = {
		.year = eight_byte(pairs, 0) * 100 + eight_byte(pairs, 2),
		.month = eight_byte(pairs, 5),
		.day = 10 * tens + ones,
	};
	if (!civil_valid_date((int)d.year, d.month, d.day))
		return false;
	*ret = d;
	return true;
}

/* Four times eight bytes, the last of which overlap: 2026-11- 22T05:40 :00.1234 .123456Z */
int civil_parse_us(struct span s, int64_t *ret_us)
{
	uint64_t year_month, day_minute, seconds, fraction;
	if (s.len != CIVIL_TIME_LEN || !eight_pairs(s.ptr, "0000-00-", &year_month) ||
	    !eight_pairs(s.ptr + 8, "00T00:00", &day_minute) ||
	    !eight_pairs(s.ptr + 16, ":00.0000", &seconds) ||
	    !eight_pairs(s.ptr + 19, ".000000Z", &fraction))
		return -EINVAL;
	uint32_t year = eight_byte(year_month, 0) * 100 + eight_byte(year_month, 2);
	uint32_t month = eight_byte(year_month, 5), day = eight_byte(day_minute, 0);
	uint32_t hour = eight_byte(day_minute, 3), minute = eight_byte(day_minute, 6);
	uint32_t second = eight_byte(seconds, 1);
	if (hour > 23 || minute > 59 || second > 59 || !civil_valid_date((int)year, month, day))
		return -EINVAL;
	int64_t days = (int64_t)days_of(year, month, day) - DAYS_TO_EPOCH;
	uint32_t micro = eight_byte(fraction, 1) * 10000 + eight_byte(fraction, 3) * 100 +
			 eight_byte(fraction, 5);
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
