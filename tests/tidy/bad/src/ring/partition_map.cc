// std::cout and rand() in a comment are not calls.
namespace dynamo::core {

const char* text = "std::cout << rand()";
auto a = std::chrono::system_clock::now();
auto b = std::chrono::steady_clock::now();
int c = rand();
std::random_device d;
void e() { std::this_thread::sleep_for(1); }
void f() { std::cout << 1; }
void g() { printf("%d", 1); }
int fine(Timer& timer) { return timer.rand() + operand(1) + strand(2); }

}  // namespace dynamo::core
