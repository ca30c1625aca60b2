/* SQLite's ways and ours: see sql.h. Called by the ledger and by account.c. */
#include "collector/store/sql.h"

#include "collector/store/ledger_schema.h"

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

static int check_whole(sqlite3 *db)
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
		r = sql_number(db, "PRAGMA user_version", &version);
	if (r < 0)
		return r;
	if (id != LEDGER_APPLICATION_ID || version < 1)
		return -EBADMSG;
	if (version > LEDGER_VERSION)
		return -EPROTONOSUPPORT;
	return check_whole(db);
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
	int r = code == SQLITE_OK ? sql_check(db) : sql_errno(code);
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
