/* The ledger's tables, as SQL. Readers of the exported copy rely on them; haul-archive(5) has an
 * overview. A change that an older program could not read raises LEDGER_VERSION, which stands in
 * meta as `version`. */
#ifndef HAUL_COLLECTOR_STORE_LEDGER_SCHEMA_H
#define HAUL_COLLECTOR_STORE_LEDGER_SCHEMA_H

#define LEDGER_APPLICATION_ID 1751217516 /* "haul" */
#define LEDGER_VERSION        1

/* Times are microseconds since 1970 unless the name says otherwise, offsets and lengths are bytes,
 * days are texts. Checksums are CRC-64/XZ in the 64 bits of an integer: printf('%016x', crc) shows
 * them as haul does. `sum` is that of the row's other columns (ledger_tables, row_sum in sql.h):
 * SQLite finds damage of its pages' structure, not of a number. */
static const char ledger_schema[] =
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value, sum INTEGER NOT NULL) WITHOUT ROWID;"

	"CREATE TABLE host ("
	" id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, session INTEGER NOT NULL,"
	" machine BLOB, agent BLOB, first_contact_us INTEGER NOT NULL, last_contact_us "
	"INTEGER NOT NULL,"
	" lines INTEGER NOT NULL, bytes INTEGER NOT NULL, sum INTEGER NOT NULL);"

	/* ino is a text, for it may be beyond what an integer holds here. */
	"CREATE TABLE stream ("
	" id INTEGER PRIMARY KEY, host INTEGER NOT NULL, stream BLOB NOT NULL, service "
	"TEXT NOT NULL,"
	" instance TEXT NOT NULL, path TEXT NOT NULL, ino TEXT NOT NULL, btime_ns "
	"INTEGER NOT NULL,"
	" start INTEGER NOT NULL, base INTEGER NOT NULL, offset INTEGER NOT NULL, crc "
	"INTEGER NOT NULL,"
	" state BLOB NOT NULL, ended INTEGER NOT NULL, lines INTEGER NOT NULL, dropped "
	"INTEGER NOT NULL,"
	" stored_bytes INTEGER NOT NULL, lost_bytes INTEGER NOT NULL, born_us INTEGER "
	"NOT NULL,"
	" last_us INTEGER NOT NULL, sum INTEGER NOT NULL, UNIQUE (host, stream));"

	/* Source bytes whose record was damaged here. */
	"CREATE TABLE gap ("
	" stream INTEGER NOT NULL, from_byte INTEGER NOT NULL, to_byte INTEGER NOT NULL,"
	" base INTEGER NOT NULL, crc_from INTEGER NOT NULL, crc_to INTEGER,"
	" sum INTEGER NOT NULL,"
	" PRIMARY KEY (stream, from_byte)) WITHOUT ROWID;"

	/* Source bytes that agents could not save. */
	"CREATE TABLE loss ("
	" id INTEGER PRIMARY KEY, host TEXT NOT NULL, stream BLOB NOT NULL, service TEXT "
	"NOT NULL,"
	" path TEXT NOT NULL, from_byte INTEGER NOT NULL, to_byte INTEGER NOT NULL, "
	"cause TEXT NOT NULL,"
	" time_us INTEGER NOT NULL, sum INTEGER NOT NULL);"

	/* state: live, closed, sealed, gone, deleted. crc NULL: not known, and then lines and times
	 * are a lower bound. */
	"CREATE TABLE segment ("
	" day TEXT NOT NULL, service TEXT NOT NULL, host TEXT NOT NULL, number INTEGER "
	"NOT NULL,"
	" state TEXT NOT NULL, inode TEXT NOT NULL, length INTEGER NOT NULL, lines "
	"INTEGER NOT NULL,"
	" first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, crc INTEGER,"
	" sum INTEGER NOT NULL,"
	" PRIMARY KEY (day, service, host, number)) WITHOUT ROWID;"
	"CREATE INDEX segment_state ON segment (state) WHERE state IN ('live', 'closed');"

	/* Bytes of segments that are not there any more (cut, gone) or are not haul's
	   (foreign). */
	"CREATE TABLE archive_note ("
	" id INTEGER PRIMARY KEY, day TEXT NOT NULL, service TEXT NOT NULL, host TEXT "
	"NOT NULL,"
	" number INTEGER NOT NULL, from_byte INTEGER NOT NULL, to_byte INTEGER NOT NULL,"
	" what TEXT NOT NULL, time_us INTEGER NOT NULL, sum INTEGER NOT NULL);"

	"CREATE VIEW stream_list AS SELECT host.name AS host, lower(hex(stream.stream)) "
	"AS stream,"
	" service, instance, path, ino, btime_ns, start, base, offset, printf('%016x', "
	"crc) AS crc,"
	" ended, stream.lines, dropped, stored_bytes, lost_bytes,"
	" datetime(born_us / 1000000, 'unixepoch') AS born,"
	" datetime(last_us / 1000000, 'unixepoch') AS last"
	" FROM stream JOIN host ON host.id = stream.host;"

	"CREATE VIEW loss_list AS SELECT host, service, path, from_byte, to_byte, cause,"
	" datetime(time_us / 1000000, 'unixepoch') AS time, lower(hex(stream)) AS stream "
	"FROM loss;"

	"CREATE VIEW gap_list AS SELECT host.name AS host, service, path, from_byte, "
	"to_byte,"
	" lower(hex(stream.stream)) AS stream FROM gap JOIN stream ON stream.id = "
	"gap.stream"
	" JOIN host ON host.id = stream.host;";

/* What goes into each table's `sum`, in this order: all that is written, so not the ids that SQLite
 * gives. */
static const struct ledger_table {
	const char *name, *columns;
} ledger_tables[] = {
	{"meta", "key, value"},
	{"host",
	 "id, name, session, machine, agent, first_contact_us, last_contact_us, lines, bytes"},
	{"stream",
	 "id, host, stream, service, instance, path, ino, btime_ns, start, base, offset, crc,"
	 " state, ended, lines, dropped, stored_bytes, lost_bytes, born_us, last_us"},
	{"gap", "stream, from_byte, to_byte, base, crc_from, crc_to"},
	{"loss", "host, stream, service, path, from_byte, to_byte, cause, time_us"},
	{"segment",
	 "day, service, host, number, state, inode, length, lines, first_us, last_us, crc"},
	{"archive_note", "day, service, host, number, from_byte, to_byte, what, time_us"},
};
#define LEDGER_TABLES (sizeof(ledger_tables) / sizeof(ledger_tables[0]))

#endif
