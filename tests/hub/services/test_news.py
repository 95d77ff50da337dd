"""Long polls: woken by news of their own recipient, and by nothing else."""

import asyncio

from hub.services.news import News


async def test_who_waits_is_woken_by_its_own_news() -> None:
    """All that wait for a recipient wake at once; those of another sleep on."""
    news = News()
    mine = [asyncio.create_task(news.wait("CHE01", 30)) for _ in range(3)]
    other = asyncio.create_task(news.wait("GHA01", 30))
    await asyncio.sleep(0)
    news.tell(["CHE01", "THA01"])
    await asyncio.wait_for(asyncio.gather(*mine), 5)
    assert not other.done()
    other.cancel()


async def test_a_wait_without_news_ends_in_time() -> None:
    """Nobody waits longer than asked for, and news before the wait began does not count."""
    news = News()
    news.tell(["CHE01"])
    await asyncio.wait_for(news.wait("CHE01", 0.01), 5)


async def test_closing_ends_every_wait_and_every_later_one() -> None:
    """A hub that is told to stop does not wait for its long polls."""
    news = News()
    waiting = asyncio.create_task(news.wait("CHE01", 30))
    await asyncio.sleep(0)
    news.close()
    assert await asyncio.wait_for(waiting, 5) is False
    assert await asyncio.wait_for(news.wait("GHA01", 30), 5) is False
