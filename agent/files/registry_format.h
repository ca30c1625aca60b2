/* The lines of the registry file. Each is 16 hex digits (CRC-64/XZ of what follows the blank), a
 * blank and one of
 *
 *     s ID STATE FLAGS CREATED START INO BTIME DEV SIZE INPUT PATH SERVICE INSTANCE
 *                                         a source
 *     c ID OFFSET BASE CRC SIZE BORN FRAME
 *                                         how far it is committed
 *     r ID BASE OFFSET CRC OFFSET CRC ...
 *                                         its ladder
 *     p ID FAMILY INO BTIME START BASE OFFSET CRC OFFSET CRC ENDED
 *                                         a stream that ended
 *     x ID                                one that is forgotten
 *     a TIME                              until then everything was seen (ns since 1970)
 *
 * Fields are parted by one blank. In texts blanks, control characters and % are written %XX, an
 * empty one is %. A later line of a stream says what holds; lines stand for themselves, so a
 * damaged one harms no other. */
#ifndef HAUL_AGENT_REGISTRY_FORMAT_H
#define HAUL_AGENT_REGISTRY_FORMAT_H

#include "agent/files/past.h"
#include "agent/files/source.h"

int registry_add_source(struct buf *out, const struct source *s) MUST_CHECK;
int registry_add_commit(struct buf *out, const struct source *s) MUST_CHECK;
int registry_add_ladder(struct buf *out, const struct source *s) MUST_CHECK;
int registry_add_past(struct buf *out, const struct past *p) MUST_CHECK;
int registry_add_forgotten(struct buf *out, const struct stream_id *id) MUST_CHECK;

int registry_add_alive(struct buf *out, int64_t real_ns) MUST_CHECK;

/* Takes one line (without LF) into the table. -EBADMSG: it is damaged or not one of ours; -ENOMEM.
 * A line about a source that is not known changes nothing. */
int registry_take_line(struct span line, struct source_table *t, int64_t *alive_ns) MUST_CHECK;

#endif
