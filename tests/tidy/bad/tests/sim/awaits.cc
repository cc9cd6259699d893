// The three that are right come first, then one line each that is wrong.
asio::awaitable<void> all(Store store, std::string key, std::string value) {
  co_await store.async_put(key, Context(), value, {.w = 2, .timeout = f(50)}, use_awaitable);
  co_await asio::post(bind([&key, this](int i) mutable { return Pair{key, names[i]}; }));
  if (co_await store.async_get(names[0], ReadOptions{.r = 1}, use_awaitable)) co_return;
  co_await store.ask(Request{.key = key}, use_awaitable);
  co_await store.ask({.key = key}, use_awaitable);
  co_await store.ask({"a", "b"}, use_awaitable);
  co_await asio::co_spawn(io, [key] { return work(key); }, use_awaitable);
  co_await asio::co_spawn(io, [&io, key = std::move(key)]() { return 1; }, use_awaitable);
  co_await (store.async_get(key, use_awaitable) ||
            store.ask(std::array{key}, use_awaitable));
}
