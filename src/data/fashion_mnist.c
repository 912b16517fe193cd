/* fashion_mnist.c - Fashion-MNIST, 60000 training and 10000 test images of clothes, 28 x 28 pixels.
 *
 * H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
 * learning algorithms", arXiv:1708.07747; MIT licence, Zalando SE. Its authors publish MD5 sums of
 * the packed files; the SHA-256 below are of what those files unpack to. Their S3 site has no
 * https, so the address is their repository.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "data/idx.h"
#include "mho/model/dataset.h"

static mho_err load(const mho_dataset_kind *kind, const void *params, const char *folder,
                    mho_dataset *out, mho_errinfo *ei) {
  return mho__idx_load(kind, folder, 10, out, ei);
}

#define REPOSITORY                                                                                 \
  "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
static const mho_data_file files[] = {
    {.name = "train-images-idx3-ubyte",
     .sha256 = "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
     .url = REPOSITORY "train-images-idx3-ubyte.gz"},
    {.name = "train-labels-idx1-ubyte",
     .sha256 = "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
     .url = REPOSITORY "train-labels-idx1-ubyte.gz"},
    {.name = "t10k-images-idx3-ubyte",
     .sha256 = "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
     .url = REPOSITORY "t10k-images-idx3-ubyte.gz"},
    {.name = "t10k-labels-idx1-ubyte",
     .sha256 = "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
     .url = REPOSITORY "t10k-labels-idx1-ubyte.gz"},
};

const mho_dataset_kind mho_dataset_fashion_mnist = {
    .entry = {.abi = MHO_ABI,
              .id = "fashion_mnist",
              .title = "Fashion-MNIST, clothes, 60000 + 10000 images of 28 x 28",
              .source = "Xiao et al., arXiv:1708.07747"},
    .files = files,
    .n_files = MHO_COUNT(files),
    .load = load,
};
