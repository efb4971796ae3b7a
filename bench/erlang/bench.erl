#!/usr/bin/env escript
%% -*- erlang -*-
%%! +S 1:1 +P 1000000
%% The kernel scenarios on Erlang's gen_server, on one scheduler: bench.erl <scenario> <operations> <runs>.
%% Prints the same JSON as kernel-child: CPU nanoseconds per operation of each run (statistics(runtime), of the whole
%% emulator) after two that only warm up, bytes per idle process, or milliseconds of wall time of one request.
-module(bench).
-mode(compile).
-behaviour(gen_server).
-export([main/1, init/1, handle_call/3, handle_cast/2, handle_info/2, start_fragile/0]).

-define(FLOOD, 100000).
-define(IN_FLIGHT, 1000).
-define(SUBSCRIBERS, 1000).
-define(CRASHES, 100).

main([Scenario, OperationsText, RunsText]) ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    Operations = list_to_integer(OperationsText),
    case prepare(Scenario) of
        none -> report([], 0);
        Run ->
            {Unit, WarmUps, Runs} = plan(Scenario, list_to_integer(RunsText)),
            [sample(Unit, Run, Operations) || _ <- lists:seq(1, WarmUps)],
            Samples = [sample(Unit, Run, Operations) || _ <- lists:seq(1, Runs)],
            report([Figure || {Figure, _} <- Samples], element(2, hd(Samples)))
    end.

plan("heap", _) -> {bytes, 0, 1};
plan(Scenario, Runs) ->
    case lists:suffix("-empty", Scenario) orelse lists:suffix("-full", Scenario) of
        true -> {ms, 2, Runs};
        false -> {ns, 2, Runs}
    end.

sample(Unit, Run, Operations) ->
    erlang:garbage_collect(),
    Bytes = erlang:memory(processes_used),
    {Before, _} = statistics(runtime),
    Result = Run(Operations),
    {After, _} = statistics(runtime),
    case Unit of
        ns -> {(After - Before) * 1000000 / Operations, Result};
        bytes ->
            erlang:garbage_collect(),
            {(erlang:memory(processes_used) - Bytes) / Operations, Result};
        ms -> Result
    end.

report(Figures, Checksum) ->
    Texts = [io_lib:format("~w", [Figure]) || Figure <- Figures],
    io:format("{\"perOperation\":[~s],\"checksum\":~w}", [lists:join(",", Texts), Checksum]).

%% Each scenario: prepared outside of what is measured, then run with the number of operations.

prepare("tell") ->
    Pid = start(sum),
    fun(Operations) -> floods(Pid, 0, Operations, 0) end;
prepare("call") ->
    Pid = start(sum),
    fun(Operations) -> calls(Pid, 0, Operations, 0) end;
prepare("call-1000") ->
    Pid = start(sum),
    fun(Operations) -> bursts(Pid, 0, Operations, 0) end;
prepare("start-stop") ->
    fun(Operations) -> lives(Operations), Operations end;
prepare("ping-pong") ->
    Ping = start({player, self()}),
    Pong = start({player, self()}),
    fun(Operations) ->
        gen_server:cast(Ping, {hit, Operations, Pong}),
        receive done -> ok end,
        gen_server:call(Ping, take) + gen_server:call(Pong, take)
    end;
prepare("fan-out") ->
    Subscribers = [start({subscriber, self()}) || _ <- lists:seq(1, ?SUBSCRIBERS)],
    Hub = start({hub, Subscribers}),
    fun(Operations) -> publish(Hub, Operations div ?SUBSCRIBERS, 0) end;
prepare("crash") ->
    %% A supervisor looks at every restart of its period, at least a second: a new one for each lot keeps that list short.
    fun(Operations) ->
        Lots = Operations div ?CRASHES,
        lists:sum([lot(?CRASHES) || _ <- lists:seq(1, Lots)]) + lot(Operations rem ?CRASHES)
    end;
prepare("heap") ->
    fun(Operations) ->
        %% The list is kept in this process until it has been weighed: 2 words a process.
        put(held, [start(sum) || _ <- lists:seq(1, Operations)]),
        Operations
    end;
prepare(Scenario) ->
    Requests = #{"kill" => kill, "suspend" => suspend, "reply" => reply, "own-call" => own_call},
    case maps:find(re:replace(Scenario, "-(empty|full)$", "", [{return, list}]), Requests) of
        {ok, Request} ->
            Other = start(sum),
            [waiting(Request, Other, 0) || _ <- lists:seq(1, 200)],
            fun(Messages) -> waiting(Request, Other, Messages) end;
        error -> none
    end.

start(Kind) ->
    {ok, Pid} = gen_server:start(?MODULE, Kind, []),
    Pid.

floods(_, From, Operations, Total) when From >= Operations -> Total;
floods(Pid, From, Operations, Total) ->
    To = min(From + ?FLOOD, Operations),
    tell(Pid, From, To),
    floods(Pid, To, Operations, Total + gen_server:call(Pid, take, infinity)).

tell(_, To, To) -> ok;
tell(Pid, Value, To) ->
    gen_server:cast(Pid, {add, Value}),
    tell(Pid, Value + 1, To).

calls(_, Operations, Operations, Total) -> Total;
calls(Pid, Value, Operations, Total) ->
    calls(Pid, Value + 1, Operations, Total + gen_server:call(Pid, {echo, Value})).

bursts(_, From, Operations, Total) when From >= Operations -> Total;
bursts(Pid, From, Operations, Total) ->
    Requests = [gen_server:send_request(Pid, {echo, Value}) || Value <- lists:seq(From, From + ?IN_FLIGHT - 1)],
    Replies = [Reply || Request <- Requests, {reply, Reply} <- [gen_server:wait_response(Request, infinity)]],
    bursts(Pid, From + ?IN_FLIGHT, Operations, Total + lists:sum(Replies)).

lives(0) -> ok;
lives(Left) ->
    gen_server:stop(start(sum)),
    lives(Left - 1).

publish(_, 0, Received) -> Received;
publish(Hub, Left, Received) ->
    gen_server:cast(Hub, {publish, 1}),
    publish(Hub, Left - 1, Received + gather(?SUBSCRIBERS, 0)).

gather(0, Received) -> Received;
gather(Missing, Received) -> receive {received, Value} -> gather(Missing - 1, Received + Value) end.

lot(0) -> 0;
lot(Crashes) ->
    {ok, Supervisor} = supervisor:start_link(?MODULE, tree),
    Replies = crashes(Crashes, 0),
    gen_server:stop(Supervisor),
    receive {'EXIT', Supervisor, _} -> Replies end.

crashes(0, Replies) -> Replies;
crashes(Left, Replies) ->
    Before = whereis(fragile),
    Monitor = monitor(process, Before),
    gen_server:cast(Before, crash),
    receive {'DOWN', Monitor, process, _, _} -> ok end,
    crashes(Left - 1, Replies + gen_server:call(reborn(Before), reply)).

reborn(Before) ->
    case whereis(fragile) of
        Pid when is_pid(Pid), Pid =/= Before -> Pid;
        _ -> erlang:yield(), reborn(Before)
    end.

%% Milliseconds of one request while `Messages` wait in the mailbox of a process that may not run until it is made.
waiting(Request, Other, Messages) ->
    Pid = start({flooded, self(), Other}),
    erlang:suspend_process(Pid),
    case Request of own_call -> gen_server:cast(Pid, ask); _ -> ok end,
    tell(Pid, 0, Messages),
    {message_queue_len, Length} = process_info(Pid, message_queue_len),
    Monitor = monitor(process, Pid),
    erlang:resume_process(Pid),
    Started = erlang:monotonic_time(),
    Elapsed =
        case Request of
            kill -> exit(Pid, kill), receive {'DOWN', Monitor, process, _, _} -> since(Started) end;
            suspend -> sys:suspend(Pid, infinity), since(Started);
            reply -> gen_server:call(Other, {echo, 1}, infinity), since(Started);
            own_call -> receive {asked, Took} -> Took end
        end,
    case Request of
        kill -> ok;
        _ -> exit(Pid, kill), receive {'DOWN', Monitor, process, _, _} -> ok end
    end,
    {Elapsed, case Request of own_call -> Length - 1; _ -> Length end}.

since(Started) -> (erlang:monotonic_time() - Started) * 1000 / erlang:convert_time_unit(1, second, native).

%% The servers. The supervisor's init is here too, since both behaviours call it so.

start_fragile() -> gen_server:start_link({local, fragile}, ?MODULE, fragile, []).

init(tree) ->
    Flags = #{strategy => one_for_one, intensity => 1000000000, period => 1},
    {ok, {Flags, [#{id => fragile, start => {?MODULE, start_fragile, []}}]}};
init(sum) -> {ok, 0};
init({player, Owner}) -> {ok, {player, Owner, 0}};
init(Kind) -> {ok, Kind}.

handle_call({echo, Value}, _, State) -> {reply, Value, State};
handle_call(take, _, {player, Owner, Hits}) -> {reply, Hits, {player, Owner, 0}};
handle_call(take, _, Total) -> {reply, Total, 0};
handle_call(reply, _, State) -> {reply, 1, State}.

handle_cast({add, Value}, Total) when is_integer(Total) -> {noreply, Total + Value};
handle_cast({add, _}, State) -> {noreply, State};
handle_cast({hit, Left, From}, {player, Owner, Hits}) ->
    case Left > 1 of
        true -> gen_server:cast(From, {hit, Left - 1, self()});
        false -> Owner ! done
    end,
    {noreply, {player, Owner, Hits + 1}};
handle_cast({publish, Value}, {hub, Subscribers} = State) ->
    [gen_server:cast(Pid, {publish, Value}) || Pid <- Subscribers],
    {noreply, State};
handle_cast({publish, Value}, {subscriber, Owner} = State) ->
    Owner ! {received, Value},
    {noreply, State};
handle_cast(ask, {flooded, Owner, Other} = State) ->
    Started = erlang:monotonic_time(),
    gen_server:call(Other, {echo, 1}, infinity),
    Owner ! {asked, since(Started)},
    {noreply, State};
handle_cast(crash, _) -> error(as_asked).

handle_info(_, State) -> {noreply, State}.
