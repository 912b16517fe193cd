/* file.h - one file of a dataset: its place, its unpacked bytes, its checksum. Private to src/data.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DATA_FILE_H
#define MHO_DATA_FILE_H

#include <sys/types.h> /* before sha2.h, which needs it */

#include <sha2.h>
#include <zlib.h>

#include "mho/data.h"
#include "mho/model/dataset.h"

enum { MHO_DATA_PATH = 4096, MHO_DATA_HEX = SHA256_DIGEST_STRING_LENGTH };

/** The folder that a dataset is downloaded to, ~/.cache/mho/<id>. False when HOME is not set or too
 *  long. */
bool mho__data_home(const char *id, char *folder, size_t capacity);

/** Path of folder/name.gz, else of folder/name; false when neither is there. The packed file comes
 *  first so that a fetched one, which is packed unless it comes out of an archive, is the one that
 *  is read. */
bool mho__data_find(const char *folder, const char *name, char *path, size_t capacity);

/** Whether dataset.path names a folder, or else a file.
 *  @param what  that is asked for, and what it may be, where no path is given.
 *  @return MHO_OK; MHO_ECONFIG: no path, or one of neither; MHO_ENOTFOUND. */
mho_err mho__data_place(const char *path, const char *what, bool *is_folder, mho_errinfo *ei);

/** Path of folder/name.ending; false when it is not there. */
bool mho__data_part(const char *folder, const char *name, const char *ending,
                    char path[MHO_DATA_PATH]);

/** Write how to get a good file, with which a message about a bad one ends. */
void mho__data_cure(const mho_dataset_kind *kind, char *buf, size_t capacity);

/* A file being read, unpacked on the way when it is gzipped. */
typedef struct mho_data_reader {
  gzFile gz;
  SHA2_CTX sha;     /* of the unpacked bytes so far */
  const char *name; /* in messages: its path, or the address it came from; borrowed */
  const char *cure; /* as of mho__data_cure; borrowed */
} mho_data_reader;

/** Open a file, to be closed with mho__data_close unless this fails.
 *  @param name  of the file in messages, and cure, what they end with; both outlive the reader.
 *  @return MHO_OK; MHO_EIO; MHO_ENOMEM. */
mho_err mho__data_open(mho_data_reader *r, const char *path, const char *name, const char *cure,
                       mho_errinfo *ei);
/** Read n bytes, fewer only at the end of the file.
 *  @return MHO_OK; MHO_EDATA for a damaged or broken-off gzip stream; MHO_EIO; MHO_ENOMEM. */
mho_err mho__data_read(mho_data_reader *r, void *out, size_t n, size_t *got, mho_errinfo *ei);
/** Close; sha256 (nullable) takes the checksum of all that was read, in hex. */
void mho__data_close(mho_data_reader *r, char sha256[MHO_DATA_HEX]);

/** MHO_EDATA unless sha256 is the one published for the file (or none is). */
mho_err mho__data_compare(const mho_data_file *file, const char *sha256, const char *name,
                          const char *cure, mho_errinfo *ei);

#endif
