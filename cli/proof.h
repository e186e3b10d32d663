/* What --key is held against where no crowd brings a manifest: the one that the site publishes as a file beside the
 * object, URL.manifest. The content is held back until it is there, unless directions may still come; the whole is held
 * against it before it gets its name. */
#ifndef THRONG_CLI_PROOF_H
#define THRONG_CLI_PROOF_H

#include "transfer.h"

/* Asks for it, unless it was asked for before. When it is wrong, or there is none and no directions can come any more
 * (`last`), the transfer fails. */
void throng_proof_begin(throng_transfer *transfer, bool last);
/* Content is not to be taken yet: throng_fetch_resume follows, or the transfer fails. */
bool throng_proof_awaited(const throng_transfer *transfer);
/* All `size` bytes are in the sink. True: they are what was signed. False: the transfer has failed, or
 * throng_transfer_complete is called again once the manifest is here. */
bool throng_proof_holds(throng_transfer *transfer, uint64_t size);
/* Frees it; breaks off what is under way. */
void throng_proof_end(throng_transfer *transfer);

#endif
