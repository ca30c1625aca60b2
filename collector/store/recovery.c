/* Recovery. store_open calls it before any thread runs; it can be killed at any point and begun
 * again.
 *
 *   1. the ledger: the newest whole one of three (base.c); its rows into the tables
 *   2. the WAL: every record that can be told apart (wal_scan.c)
 *   3. where it ends (wal_end.c): a torn tail is cut; damaged bytes are copied to quarantine
 *   4. a new WAL file, for what recovery itself has to say
 *   5. plan: where every line past the ledger's LSN is to stand, moves included; find the files
 *   6. replay: every record past the ledger's LSN, in order
 *   7. look at what is there now (restore_finish)
 *   8. the caller runs a checkpoint, and only then lets anybody in
 *
 * What is found, and what follows:
 *   ledger missing, damaged, older than its copy   the copy, and all WAL since: nothing is lost
 *   torn WAL tail                                  cut: nobody was told about it
 *   a record's body damaged                        its lines stand on disk: no loss. Else its chunks are
 *                                                  forgotten and sent again, or, where later ones of the
 *                                                  stream were taken, a gap
 *   a record's meta or head damaged                which chunks they were, later records of the same
 *                                                  streams tell: a gap; lines that stand on disk stay
 *   a session's record damaged                     session numbers go on well behind it
 *   a live file cut, removed, replaced             what the WAL still has is written to a new segment; the
 *                                                  rest is noted in the ledger
 *   bytes behind the last line                     they stay; the next lines follow them, or begin a new
 *                                                  segment when they do not end a line
 *   no room                                        the ballast is given up; then -ENOSPC */
#include "collector/store/recovery.h"

#include "collector/store/base.h"
#include "collector/store/replay.h"
#include "collector/store/restore.h"
#include "collector/store/wal_end.h"
#include "common/log.h"
#include "common/uuid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With less free, the ballast goes before it is needed. */
#define LOW_ROOM (UINT64_C(32) << 20)

#define WAL_FILE_BYTES (UINT64_C(16) << 20)

struct recovery {
	struct store *s;
	struct conf_error *err;
	struct ledger_meta base;
	bool rebuilt;
	struct wal_log log;
	struct wal_end end;
	struct restore restore;
	struct replay replay;
	struct map hosts_by_row, streams_by_row; /* while the ledger is read */
	uint64_t lost_records;
};

/* --- 1: the ledger --- */

static bool host_has_row(const void *entry, const void *row)
{
	return ((const struct host *)entry)->row == *(const uint64_t *)row;
}

static bool stream_has_row(const void *entry, const void *row)
{
	return ((const struct stream *)entry)->row == *(const uint64_t *)row;
}

static int load_host(void *user, const struct host *row)
{
	struct recovery *r = user;
	struct hosts *hosts = &r->s->hosts;
	struct host *host = hosts_get(hosts, span_of(row->name));
	if (!host)
		return -ENOMEM;
	struct session session = {.number = row->session,
				  .machine = span_make(row->machine, row->machine_len),
				  .agent = span_make(row->agent, row->agent_len)};
	int x = row->session ? session_open(hosts, host, &session) : 0;
	if (x < 0)
		return x;
	host->row = row->row;
	host->first_contact_us = row->first_contact_us;
	host->last_contact_us = row->last_contact_us;
	host->lines = row->lines;
	host->bytes = row->bytes;
	if (row->row > hosts->last_row)
		hosts->last_row = row->row;
	list_remove(&host->dirty);
	return map_add(&r->hosts_by_row, host->row, host);
}

static int load_stream(void *user, uint64_t host_row, const struct stream *row)
{
	struct recovery *r = user;
	struct host *host = map_find(&r->hosts_by_row, host_row, &host_row);
	if (!host)
		return -EBADMSG;
	struct chunk as = {.stream = row->id,
			   .start = row->start,
			   .service = stream_service(row),
			   .instance = stream_instance(row),
			   .path = stream_path(row),
			   .ino = row->ino,
			   .btime_ns = row->btime_ns,
			   .state = stream_state(row)};
	struct stream *s = stream_new(host, &as);
	if (!s)
		return -ENOMEM;
	struct stream fresh = *s;
	*s = *row;
	s->host = host;
	s->text = fresh.text;
	s->state = fresh.state;
	s->state_capacity = fresh.state_capacity;
	if (row->state_len)
		memcpy(s->state, row->state, row->state_len);
	host->lost_bytes += s->lost_bytes;
	int x = streams_add(&r->s->streams, s);
	if (x < 0) {
		stream_free(s);
		return x;
	}
	if (s->row > r->s->last_stream_row)
		r->s->last_stream_row = s->row;
	return map_add(&r->streams_by_row, s->row, s);
}

static int load_gap(void *user, uint64_t stream_row, const struct gap *gap)
{
	struct recovery *r = user;
	struct stream *s = map_find(&r->streams_by_row, stream_row, &stream_row);
	if (!s)
		return 0;
	int x = stream_add_gap(s, *gap);
	s->gaps_changed = false;
	return x;
}

static int load_segment(void *user, const struct segment_row *row)
{
	struct recovery *r = user;
	return restore_known(&r->restore, row);
}

static void forget_tables(struct recovery *r)
{
	struct store *s = r->s;
	map_free(&r->hosts_by_row);
	map_free(&r->streams_by_row);
	restore_free(&r->restore);
	streams_free(&s->streams);
	hosts_free(&s->hosts);
	shards_free(&s->shards);
	streams_init(&s->streams);
	hosts_init(&s->hosts);
	shards_init(&s->shards);
	s->last_stream_row = 0;
	restore_init(&r->restore, s);
}

static int load_ledger(struct recovery *r)
{
	struct ledger_reader reader = {.host = load_host,
				       .stream = load_stream,
				       .gap = load_gap,
				       .segment = load_segment,
				       .user = r};
	int x = base_open(r->s, &r->base, &r->rebuilt, r->err);
	while (x == 0 && (x = ledger_read(r->s->ledger, &reader)) == -EBADMSG) {
		forget_tables(r);
		r->rebuilt = true;
		x = base_next(r->s, &r->base, r->err);
	}
	map_free(&r->hosts_by_row);
	map_free(&r->streams_by_row);
	size_t cursor = 0;
	for (struct host *host; x == 0 && (host = map_next(&r->s->hosts.by_name, &cursor));)
		x = streams_order_ended(host);
	return x;
}

/* --- identity --- */

/* The ledger's; else the WAL's; else a new one. */
static int find_uuid(struct recovery *r)
{
	struct store *s = r->s;
	if (*r->base.uuid) {
		memcpy(s->uuid, r->base.uuid, sizeof(s->uuid));
		return 0;
	}
	for (size_t i = r->log.n_files; i > 0; i--) {
		const struct wal_scan_file *f = &r->log.files[i - 1];
		if (f->head_good) {
			memcpy(s->uuid, f->head.uuid, UUID_LEN);
			s->uuid[UUID_LEN] = '\0';
			return 0;
		}
	}
	s->uuid_is_new = true;
	return uuid_make(s->uuid);
}

/* --- 2 and 3: the WAL --- */

static bool entry_stands(void *user, const struct wal_entry *e)
{
	struct recovery *r = user;
	return replay_stands(&r->replay, e);
}

/* The copy is for people: best effort. */
static void say_damage(struct recovery *r, size_t file, uint64_t from, uint64_t to,
		       const char *what)
{
	char aside[64], name[WAL_NAME_LEN + 1], path[TREE_PATH_MAX];
	unsigned long long sequence = r->log.files[file].sequence;
	wal_format_name(name, WAL_RECORDS, r->log.files[file].sequence);
	(void)snprintf(path, sizeof(path), "%s/%s", TREE_WAL, name);
	(void)snprintf(aside, sizeof(aside), "wal-%llu-%llu", sequence, (unsigned long long)from);
	int x = tree_copy_aside(&r->s->tree, path, from, to, aside);
	log_error("%s/%s: bytes %llu to %llu: %s; %s%s", r->s->data_dir, path,
		  (unsigned long long)from, (unsigned long long)to, what,
		  x < 0 ? "no copy of them: " : "copied to " TREE_QUARANTINE "/",
		  x < 0 ? strerror(-x) : aside);
}

/* Damaged bytes among what was durable once. What matters to nobody any more (records that the
 * ledger has) is told all the same: a disk that damages one record damages others. */
static void tell_damage(struct recovery *r)
{
	uint64_t expected = r->base.lsn + 1;
	for (size_t i = 0; i < r->log.n_junk; i++) {
		const struct wal_junk *j = &r->log.junk[i];
		bool behind = j->next_lsn == UINT64_MAX;
		if (behind ? !r->end.cut : j->next_lsn <= r->end.last_lsn)
			say_damage(r, j->file, j->from, j->to, "damaged");
	}
	for (size_t i = 0; i < r->end.n_entries; i++) {
		const struct wal_entry *e = &r->log.entries[i];
		if (e->head.lsn < expected)
			continue;
		if (e->head.lsn > expected)
			log_error("WAL: records %llu to %llu are missing",
				  (unsigned long long)expected,
				  (unsigned long long)e->head.lsn - 1);
		r->lost_records += e->head.lsn - expected;
		if (e->state != WAL_ENTRY_GOOD && e->at)
			say_damage(r, e->file, e->at, e->at + wal_record_size(&e->head),
				   e->state == WAL_ENTRY_BODY_BAD ? "a record's body is damaged"
								  : "a record is damaged");
		if (e->mirrored)
			log_notice(
				"WAL: what the damaged record %llu said is known from its mirror",
				(unsigned long long)e->head.lsn);
		r->lost_records += e->state == WAL_ENTRY_META_BAD;
		expected = e->head.lsn + 1;
	}
	if (r->end.last_lsn >= expected)
		log_error("WAL: records %llu to %llu are missing", (unsigned long long)expected,
			  (unsigned long long)r->end.last_lsn);
	r->lost_records += r->end.last_lsn + 1 - expected;
}

static int scan_wal(struct recovery *r)
{
	struct store *s = r->s;
	int x = wal_scan(s->tree_wal, r->base.lsn, &r->log);
	if (x < 0)
		return x;
	r->replay = (struct replay){.s = s, .restore = &r->restore, .log = &r->log};
	return find_uuid(r);
}

/* Asks what counts, cuts the rest off. */
static int find_end(struct recovery *r)
{
	struct store *s = r->s;
	r->end = wal_find_end(&r->log, r->base.lsn, entry_stands, r);
	s->lsn = s->durable_lsn = r->end.last_lsn;
	tell_damage(r);
	if (r->end.cut && r->end.torn_bytes)
		log_notice(
			"%s/%s: cut up to %llu bytes off the end, which a crash left unfinished: "
			"nobody was "
			"told about them",
			s->data_dir, TREE_WAL, (unsigned long long)r->end.torn_bytes);
	return wal_cut(s->tree_wal, &r->log, &r->end);
}

/* --- 4: a new file --- */

static bool has_file(const struct wal_log *log, size_t n_files, uint64_t sequence)
{
	for (size_t i = 0; i < n_files; i++)
		if (log->files[i].sequence == sequence)
			return true;
	return false;
}

static int begin_wal(struct recovery *r)
{
	struct store *s = r->s;
	uint64_t sequence = r->log.n_files ? r->log.files[r->log.n_files - 1].sequence : 0;
	for (size_t i = 0; i < r->log.n_mirrors; i++)
		if (r->log.mirrors[i] > sequence)
			sequence = r->log.mirrors[i];
	uint64_t file_bytes = s->config.wal_file_bytes ? s->config.wal_file_bytes : WAL_FILE_BYTES;
	int x = wal_files_open(s->tree_wal, &s->room, file_bytes, sequence + 1, &s->wal_files);
	size_t keep = r->end.cut ? r->end.file + 1 : r->log.n_files;
	for (size_t i = 0; x == 0 && i < keep; i++)
		x = wal_files_keep(s->wal_files, r->log.files[i].sequence, r->log.files[i].last_lsn,
				   r->log.files[i].size);
	/* Mirrors whose file is gone go with the rest, when the ledger has everything. */
	for (size_t i = 0; x == 0 && i < r->log.n_mirrors; i++)
		if (!has_file(&r->log, keep, r->log.mirrors[i]))
			x = wal_files_keep(s->wal_files, r->log.mirrors[i], s->lsn, 0);
	if (x == 0)
		x = wal_files_prepare(s->wal_files);
	if (x == -ENOSPC && room_drop_ballast(&s->tree))
		x = wal_files_prepare(s->wal_files);
	if (x == 0)
		x = wal_open(s->wal_files, s->uuid, &s->wal);
	if (x == 0)
		wal_switch(s->wal, s->lsn + 1);
	return x;
}

/* --- 5 and 6: plan, replay --- */

/* A record that cannot be understood is damage, whatever its checksums say. */
static int tolerate(struct recovery *r, struct wal_entry *e, int x)
{
	if (x != -EBADMSG)
		return x;
	log_error("WAL: record %llu cannot be understood; it is left out",
		  (unsigned long long)e->head.lsn);
	r->lost_records++;
	e->state = WAL_ENTRY_META_BAD; /* and not asked again */
	return 0;
}

static int for_entries(struct recovery *r, int (*each)(struct replay *, const struct wal_entry *))
{
	int x = 0;
	for (size_t i = 0; x == 0 && i < r->end.n_entries; i++) {
		struct wal_entry *e = &r->log.entries[i];
		if (e->head.lsn > r->base.lsn && e->state != WAL_ENTRY_META_BAD)
			x = tolerate(r, e, each(&r->replay, e));
	}
	return x;
}

static int replay_all(struct recovery *r)
{
	struct store *s = r->s;
	int x = for_entries(r, replay_entry);
	if (x == 0)
		x = restore_waiting(&r->restore);
	if (x == 0)
		x = restore_finish(&r->restore);
	if (x < 0)
		return x;
	if (s->hosts.last_session < r->base.last_session)
		s->hosts.last_session = r->base.last_session;
	/* Each missing record may have been a session. */
	s->hosts.last_session += r->lost_records;
	if (r->rebuilt && r->base.lsn == 0 && s->lsn > 0)
		log_warning("%s/%s: it was missing or damaged, and so was its copy; rebuilt from "
			    "the WAL and "
			    "from the files of the archive",
			    s->data_dir, LEDGER_PATH);
	if (s->lsn > r->base.lsn)
		log_info("%s: recovered %llu records of the WAL, %llu lines (%llu bytes) written "
			 "to their "
			 "places",
			 s->data_dir, (unsigned long long)(s->lsn - r->base.lsn),
			 (unsigned long long)r->restore.lines,
			 (unsigned long long)r->restore.bytes);
	return 0;
}

/* --- all of it --- */

static int run(struct recovery *r)
{
	int x = load_ledger(r);
	if (x == 0)
		x = scan_wal(r);
	if (x == 0)
		x = find_end(r);
	if (x == 0)
		x = begin_wal(r);
	if (x == 0 && (r->rebuilt || r->lost_records))
		x = restore_walk(&r->restore);
	if (x == 0)
		x = restore_plan_waiting(&r->restore);
	if (x == 0)
		x = for_entries(r, replay_plan_moves);
	if (x == 0)
		x = for_entries(r, replay_plan_lines);
	if (x == 0)
		x = restore_begin(&r->restore);
	return x == 0 ? replay_all(r) : x;
}

int recovery_run(struct store *s, uint64_t *ret_ledger_lsn, struct conf_error *err)
{
	struct recovery r = {.s = s, .err = err};
	uint64_t free_bytes, total_bytes, reserve_bytes;
	room_figures(&s->room, &free_bytes, &total_bytes, &reserve_bytes);
	if (free_bytes < LOW_ROOM)
		(void)room_drop_ballast(&s->tree);
	err->text[0] = '\0';
	restore_init(&r.restore, s);
	map_init(&r.hosts_by_row, host_has_row);
	map_init(&r.streams_by_row, stream_has_row);
	int x = run(&r);
	if (x < 0 && !err->text[0])
		(void)snprintf(err->text, sizeof(err->text), "%s: recovery: %s", s->data_dir,
			       strerror(-x));
	*ret_ledger_lsn = r.base.lsn;
	replay_free(&r.replay);
	restore_free(&r.restore);
	wal_log_free(&r.log);
	return x;
}
