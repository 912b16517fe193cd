/* mnist.c - the MNIST handwritten digits, 60000 training and 10000 test images of 28 x 28 pixels.
 *
 * Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document
 * recognition", Proc. IEEE 86 (1998) 2278, doi:10.1109/5.726791. The first address of the files,
 * yann.lecun.com/exdb/mnist, no longer serves them; the one below is the mirror that PyTorch uses.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "data/idx.h"
#include "mho/model/dataset.h"

/* The mean and the spread are those of all pixels of the training images, to four digits. */
static mho_err load(const mho_dataset_kind *kind, const void *params, const char *folder,
                    mho_dataset *out, mho_errinfo *ei) {
  mho_err err = mho__idx_load(kind, folder, 10, out, ei);
  out->mean[0] = 0.1307;
  out->spread[0] = 0.3081;
  return err;
}

#define MIRROR "https://ossci-datasets.s3.amazonaws.com/mnist/"
static const mho_data_file files[] = {
    {.name = "train-images-idx3-ubyte",
     .sha256 = "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
     .url = MIRROR "train-images-idx3-ubyte.gz"},
    {.name = "train-labels-idx1-ubyte",
     .sha256 = "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
     .url = MIRROR "train-labels-idx1-ubyte.gz"},
    {.name = "t10k-images-idx3-ubyte",
     .sha256 = "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
     .url = MIRROR "t10k-images-idx3-ubyte.gz"},
    {.name = "t10k-labels-idx1-ubyte",
     .sha256 = "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
     .url = MIRROR "t10k-labels-idx1-ubyte.gz"},
};

const mho_dataset_kind mho_dataset_mnist = {
    .entry = {.abi = MHO_ABI,
              .id = "mnist",
              .title = "MNIST handwritten digits, 60000 + 10000 images of 28 x 28",
              .source = "LeCun et al., Proc. IEEE 86 (1998) 2278, doi:10.1109/5.726791"},
    .files = files,
    .n_files = MHO_COUNT(files),
    .load = load,
};
