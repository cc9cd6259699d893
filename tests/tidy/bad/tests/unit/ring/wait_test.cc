void wait() { std::this_thread::sleep_for(1); }
void match() { CHECK_THAT(text(), Catch::Matchers::Contains("part")); }
