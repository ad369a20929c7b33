// People who are late, say too much, say the wrong thing, act on their own, or are not there.

#include <array>

#include "sim/faults.h"

namespace kedge::sim {
namespace {

// A habit counts as fired once somebody showed it.
void watch(Staging& staging, std::uint64_t (People::*count)() const) {
    People& people = staging.disaster.people();
    staging.disaster.when_healed([&people, count, fired = staging.fired] {
        if ((people.*count)() > 0) fired();
    });
}

void are_late(Staging& staging) {
    staging.disaster.people().habits.least = 5s;
    staging.disaster.people().habits.most = staging.random.chance(0.2) ? Span{35min} : Span{60s};
    watch(staging, &People::requests);
}
void answer_twice(Staging& staging) {
    staging.disaster.people().habits.twice = 0.8;
    watch(staging, &People::repeated);
}
void answer_wrongly(Staging& staging) {
    staging.disaster.people().habits.wrong = 0.8;
    watch(staging, &People::wrong_answers);
}
void are_absent(Staging& staging) {
    staging.disaster.people().habits.absent = 0.5;
    watch(staging, &People::absences);
}
void take_no_risks(Staging& staging) {
    staging.disaster.people().habits.takes_risks = false;
    staging.fired();
}
void say_no(Staging& staging) {
    staging.disaster.people().habits.says_no = 0.3;
    watch(staging, &People::requests);
}
void ask_of_the_run(Staging& staging, const std::string& verb) {
    People& people = staging.disaster.people();
    staging.later([&people, verb] { people.ask_of_run(verb); });
}
void cancel(Staging& staging) {
    ask_of_the_run(staging, "cancel");
}
void pause_and_resume(Staging& staging) {
    People& people = staging.disaster.people();
    staging.later([&people] { people.ask_of_run("pause"); }, [&people] { people.ask_of_run("resume"); });
}
void start_it_twice(Staging& staging) {
    Controller& controller = staging.controller();
    staging.later([&controller] { controller.start_another(); });
}
void shift_by_hand(Staging& staging) {
    if (staging.world().entrances.empty()) return;
    EntranceModel* entrance = staging.world().entrances.front().get();
    const Place a = staging.home(), b = staging.other();
    const int share = static_cast<int>(staging.random.below(101));
    staging.later([entrance, a, b, share] { entrance->shift({{a, share}, {b, 100 - share}}); });
}
void release_by_hand(Staging& staging) {
    if (staging.world().applications.empty()) return;
    ApplicationModel* application = staging.world().applications.front().get();
    staging.later([application] {
        for (ApplicationModel::Site& site : application->sites())
            for (ApplicationModel::Instance& instance : site.instances) instance.writes = Writes::accepted;
    });
}
void promote_by_hand(Staging& staging) {
    if (staging.world().databases.empty()) return;
    DatabaseModel* database = staging.world().databases.front().get();
    const Place place = staging.other();
    staging.later([database, place] {
        DatabaseModel::Server& server = database->at(place);
        if (server.standby && server.part.health == Health::up) database->promote(server);
    });
}

}  // namespace

std::span<const FaultPiece> faults_of_people() {
    static constexpr std::array faults{
        FaultPiece{"people are late", "83", are_late},
        FaultPiece{"people answer twice", "81", answer_twice},
        FaultPiece{"people answer wrongly", "82, 84, 85", answer_wrongly},
        FaultPiece{"people are absent", "91", are_absent},
        FaultPiece{"people take no risks", "91", take_no_risks},
        FaultPiece{"people say no", "82", say_no},
        FaultPiece{"somebody cancels", "88", cancel},
        FaultPiece{"somebody pauses and resumes", "88", pause_and_resume},
        FaultPiece{"the plan is started twice", "86", start_it_twice},
        FaultPiece{"traffic is shifted by hand", "89", shift_by_hand},
        FaultPiece{"writes are released by hand", "89", release_by_hand},
        FaultPiece{"somebody promotes by hand", "89", promote_by_hand},
    };
    return faults;
}

}  // namespace kedge::sim
