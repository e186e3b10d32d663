/* What a neighbour is told of what is here. Of a small object that is all of it, in a bitmap. Of a larger one in many
 * pieces a message has room for some, and the largest are those it has heard of: it is told the latest, and the largest
 * beside them, in case an earlier message was lost. */
#include "peer.h"

enum { NEWS_MAX = 128, NEWS_LARGEST = 8 };

void throng_news_add(throng_node *node, throng_object *object, uint32_t first, uint32_t end)
{
    if (object->geometry.chunks <= BITMAP_CHUNKS)
        return;
    if (!object->news)
        object->news = throng_node_alloc(node, NEWS_MAX * sizeof *object->news);
    if (object->news)
        object->news[(object->have_version - 1) % NEWS_MAX] = (throng_interval){first, end};
}

void throng_news_free(throng_node *node, throng_object *object)
{
    throng_node_release(node, object->news, NEWS_MAX * sizeof *object->news);
}

static int collect(const throng_link *link, throng_intervals *ret)
{
    const throng_object *object = link->object;
    throng_interval largest[NEWS_LARGEST];
    uint32_t count = throng_intervals_largest(object->have, largest, NEWS_LARGEST);
    int error = 0;
    for (uint32_t i = 0; error == 0 && i < count; i++)
        error = throng_intervals_insert(ret, largest[i].first, largest[i].end);
    for (uint32_t version = link->told_version; error == 0 && version != object->have_version; version++) {
        const throng_interval *piece = &object->news[version % NEWS_MAX];
        error = throng_intervals_insert(ret, piece->first, piece->end);
    }
    return error;
}

throng_intervals *throng_news_of(throng_node *node, const throng_link *link)
{
    const throng_object *object = link->object;
    throng_intervals *news;
    if (!object->news || !link->told_some || object->have_version - link->told_version > NEWS_MAX ||
        throng_intervals_new(&news, &node->alloc, object->geometry.chunks) < 0)
        return NULL;
    if (collect(link, news) == 0)
        return news;
    throng_intervals_free(news);
    return NULL;
}
