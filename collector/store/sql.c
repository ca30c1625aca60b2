/* SQLite's ways and ours: see sql.h. Called by the ledger and by account.c. */
#include "collector/store/sql.h"

#include "collector/store/ledger_schema.h"
#include "common/crc64.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

int sql_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW: return 0;
	case SQLITE_NOMEM: return -ENOMEM;
	case SQLITE_FULL: return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
	case SQLITE_SCHEMA:
	case SQLITE_ERROR: return -EBADMSG; /* a table that is not as it should be */
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return -EBUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM: return -EACCES;
	default: return -EIO;
	}
}

int sql_exec(sqlite3 *db, const char *text)
{
	return sql_errno(sqlite3_exec(db, text, NULL, NULL, NULL));
}

int sql_number(sqlite3 *db, const char *query, int64_t *ret)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(db, query, -1, &s, NULL);
	if (code != SQLITE_OK)
		return sql_errno(code);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW)
		*ret = sqlite3_column_int64(s, 0);
	(void)sqlite3_finalize(s);
	return code == SQLITE_ROW ? 0 : code == SQLITE_DONE ? -ENODATA : sql_errno(code);
}

/* Where memory is too short to read a value, the statement fails anyway. */
static uint64_t add_value(uint64_t crc, sqlite3_value *v)
{
	int type = sqlite3_value_type(v);
	const void *bytes = type == SQLITE_BLOB ? sqlite3_value_blob(v) : sqlite3_value_text(v);
	uint32_t len = bytes ? (uint32_t)sqlite3_value_bytes(v) : 0;
	const unsigned char head[] = {type == SQLITE_NULL, (unsigned char)len,
				      (unsigned char)(len >> 8), (unsigned char)(len >> 16),
				      (unsigned char)(len >> 24)};
	return crc64_add(crc64_add(crc, head, sizeof(head)), bytes, len);
}

static void row_sum(sqlite3_context *context, int n, sqlite3_value **values)
{
	uint64_t crc = CRC64_EMPTY;
	for (int i = 0; i < n; i++)
		crc = add_value(crc, values[i]);
	sqlite3_result_int64(context, (sqlite3_int64)crc);
}

int sql_add_row_sum(sqlite3 *db)
{
	return sql_errno(sqlite3_create_function_v2(db, "row_sum", -1,
						    SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
						    row_sum, NULL, NULL, NULL));
}

/* Is each row as it was written? */
static int check_rows(sqlite3 *db)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < LEDGER_TABLES; i++) {
		const struct ledger_table *t = &ledger_tables[i];
		char query[512];
		int64_t wrong = 0;
		int n = snprintf(query, sizeof(query),
				 "SELECT EXISTS (SELECT 1 FROM %s WHERE sum IS NOT row_sum(%s))",
				 t->name, t->columns);
		assert(n > 0 && (size_t)n < sizeof(query));
		r = sql_number(db, query, &wrong);
		if (r == 0 && wrong)
			r = -EBADMSG;
	}
	return r;
}

/* Does SQLite find its structure whole? */
static int check_pages(sqlite3 *db)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, NULL);
	if (code != SQLITE_OK)
		return sql_errno(code);
	code = sqlite3_step(s);
	const char *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
	bool ok = text && strcmp(text, "ok") == 0;
	(void)sqlite3_finalize(s);
	return ok ? 0 : code == SQLITE_ROW ? -EBADMSG : sql_errno(code);
}

int sql_check(sqlite3 *db)
{
	int64_t id = 0, version = 0;
	int r = sql_number(db, "PRAGMA application_id", &id);
	if (r == 0)
		r = sql_number(db,
			       "SELECT value FROM meta WHERE key = 'version' AND sum IS "
			       "row_sum(key, value)",
			       &version);
	if (r == -ENODATA || (r == 0 && (id != LEDGER_APPLICATION_ID || version < 1)))
		return -EBADMSG;
	if (r == 0 && version > LEDGER_VERSION)
		return -EPROTONOSUPPORT;
	if (r == 0)
		r = check_pages(db);
	return r == 0 ? check_rows(db) : r;
}

int sql_open_copy(const char *path, sqlite3 **ret)
{
	char uri[8192], *at = uri;
	/* Nothing of the path may be read as part of the URI. */
	at += sprintf(at, "file:");
	for (const char *c = path; *c && at < uri + sizeof(uri) - 32; c++)
		at += sprintf(at, strchr("%?#", *c) ? "%%%02x" : "%c", (unsigned char)*c);
	(void)sprintf(at, "?immutable=1");
	sqlite3 *db = NULL;
	int code = sqlite3_open_v2(
		uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
	int r = code == SQLITE_OK ? sql_add_row_sum(db) : sql_errno(code);
	if (r == 0)
		r = sql_check(db);
	/* Is it missing, or may it not be read? */
	if (code == SQLITE_CANTOPEN && sqlite3_system_errno(db))
		r = -sqlite3_system_errno(db);
	if (r < 0) {
		(void)sqlite3_close(db);
		return r;
	}
	*ret = db;
	return 0;
}

int sql_run(sqlite3_stmt *s)
{
	int code = sqlite3_step(s);
	(void)sqlite3_reset(s);
	return sql_errno(code);
}
