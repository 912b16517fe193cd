/* checkpoint_head.h - how the bytes of a checkpoint begin, which say what its row says, too.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_STORE_CHECKPOINT_HEAD_H
#define MHO_STORE_CHECKPOINT_HEAD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MHO_CHECKPOINT_MAGIC "mho ckpt"

/* The rest of its header is read by train/checkpoint.c alone. */
typedef struct mho_checkpoint_head {
  char magic[8];            /* MHO_CHECKPOINT_MAGIC */
  uint32_t version, scalar; /* scalar: bytes of an mho_real */
  uint64_t size;            /* of the whole, to notice a cut one */
  int64_t epoch, batch;
} mho_checkpoint_head;

/** Whether bytes that are a checkpoint contradict the epoch and batch of their row. */
static inline bool mho__checkpoint_contradicts(const void *bytes, size_t n, int64_t epoch,
                                               int64_t batch) {
  mho_checkpoint_head h;
  if (n < sizeof h)
    return false;
  memcpy(&h, bytes, sizeof h);
  return !memcmp(h.magic, MHO_CHECKPOINT_MAGIC, sizeof h.magic) &&
         (h.epoch != epoch || h.batch != batch);
}

#endif
