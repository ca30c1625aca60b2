/* Makes durable what was appended. */
#ifndef HAUL_COLLECTOR_STORE_SEGMENT_SYNC_H
#define HAUL_COLLECTOR_STORE_SEGMENT_SYNC_H

#include "collector/store/appender.h"
#include "collector/store/tree.h"

/* Syncs the files that the report names, and their directories when names have changed. Few files
 * are synced one by one, more by the whole file system, and so they are with any trouble but -EIO
 * (a file that has just been renamed by someone). Errors: -EIO, which is final: the kernel may have
 * dropped the bytes. */
int segment_sync(const struct tree *t, const struct appender_report *report) MUST_CHECK;

#endif
