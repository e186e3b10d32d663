/* What a browser says over the WebSocket: any text is decoded or refused, and what is decoded lies within its limits.
 */
#include <stdlib.h>
#include <string.h>

#include "server/signal_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    signal_message message;
    if (size > SIGNAL_MESSAGE_MAX || signal_decode(&message, (const char *)data, size) != 0)
        return 0;
    if (message.items_count > SIGNAL_BATCH_MAX || (message.kind == SIGNAL_SIGNAL) != (message.items_count > 0))
        abort();
    for (uint32_t i = 0; i < message.items_count; i++) {
        size_t written = 0;
        if (strlen(message.items[i].text) == 0 || strlen(message.items[i].text) > SIGNAL_TEXT_MAX)
            abort();
        char *text = signal_write_signal(message.items[i].to, message.items[i].text, &written);
        if (text == NULL || written != strlen(text))
            abort();
        free(text);
    }
    signal_clear(&message);
    return 0;
}
