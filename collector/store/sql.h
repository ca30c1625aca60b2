/* SQLite as the ledger's writer and its readers use it: errors as -errno, columns as spans and
 * numbers, the check that a file is a ledger. One thread at a time. */
#ifndef HAUL_COLLECTOR_STORE_SQL_H
#define HAUL_COLLECTOR_STORE_SQL_H

#include "common/buf.h"
#include "common/num.h"
#include "common/span.h"

#include <sqlite3.h>
#include <stdint.h>

/* 0 for what went well; -EBADMSG for a file that is damaged or has not the tables that it should
 * have. */
int sql_errno(int code);

int sql_exec(sqlite3 *db, const char *text) MUST_CHECK;
/* The first column of the first row; -ENODATA: there is none. */
int sql_number(sqlite3 *db, const char *query, int64_t *ret) MUST_CHECK;

/* Makes the function row_sum(COLUMN, ...) known: CRC-64/XZ of the columns, each as a byte that says
 * whether it is NULL, its length (4 bytes, little endian) and its text or blob; a number is its
 * decimal text. */
int sql_add_row_sum(sqlite3 *db) MUST_CHECK;

/* Is it a ledger, of a version that we know (-EPROTONOSUPPORT: a newer one), and whole, each row as
 * it was written (else -EBADMSG)? After sql_add_row_sum. */
int sql_check(sqlite3 *db) MUST_CHECK;

/* Opens a file that nobody writes to any more, checks it, and takes no lock and writes nothing
 * beside it: who may read the file may do this. */
int sql_open_copy(const char *path, sqlite3 **ret) MUST_CHECK;

/* Runs a statement that gives no rows, and makes it ready to be bound again. */
int sql_run(sqlite3_stmt *s) MUST_CHECK;

/* Texts and blobs stay the caller's, and where they are until the statement has run. That there is
 * no memory shows when it runs. */
static inline void sql_bind_u64(sqlite3_stmt *s, int i, uint64_t v)
{
	(void)sqlite3_bind_int64(s, i, (sqlite3_int64)v);
}

static inline void sql_bind_i64(sqlite3_stmt *s, int i, int64_t v)
{
	(void)sqlite3_bind_int64(s, i, v);
}

static inline void sql_bind_text(sqlite3_stmt *s, int i, struct span v)
{
	(void)sqlite3_bind_text64(s, i, v.len ? v.ptr : "", v.len, SQLITE_STATIC, SQLITE_UTF8);
}

static inline void sql_bind_blob(sqlite3_stmt *s, int i, const void *ptr, size_t len)
{
	(void)sqlite3_bind_blob64(s, i, len ? ptr : "", len, SQLITE_STATIC);
}

/* Of the row at hand; what a span points to is valid until the next step. */
static inline struct span sql_span(sqlite3_stmt *s, int i)
{
	const char *ptr = sqlite3_column_blob(s, i);
	return span_make(ptr, ptr ? (size_t)sqlite3_column_bytes(s, i) : 0);
}

static inline uint64_t sql_u64(sqlite3_stmt *s, int i)
{
	return (uint64_t)sqlite3_column_int64(s, i);
}

/* A number that stands there as text; 0 when it is none. */
static inline uint64_t sql_decimal(sqlite3_stmt *s, int i)
{
	uint64_t v = 0;
	(void)!num_parse_u64(sql_span(s, i), &v);
	return v;
}

#endif
