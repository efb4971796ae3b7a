%% Plays scenarios of supervisors: [Flags, Specs, Commands].
%%
%%   Flags    [Strategy, Intensity, AutoShutdown]
%%   Spec     [Id, Restart, Shutdown, Significant, Kind]
%%   Kind     [worker, Trap, Stubborn] or [supervisor, Flags, Specs]
%%
%% Children take a number at each successful start and note it with their id, as they note the reason of their end. After a
%% command the driver says: its answer | what children noted | the tree | the numbers of all that live.
-module(oracle_supervisor).
-export([play/1, start_child/3, start_child/5]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, handle_continue/2, terminate/2]).

-define(ROUNDS_MAX, 100000).

play([Flags, Specs, Plans, Commands]) ->
    process_flag(trap_exit, true),
    Table = ets:new(table, [public, ordered_set]),
    ets:insert(Table, [{count, 0}, {noted, 0}]),
    [ets:insert(Table, {{plan, Id}, Plan}) || [Id, Plan] <- Plans],
    put(table, Table),
    put(is_dynamic, hd(Flags) =:= simple_one_for_one),
    Started = supervisor:start_link(?MODULE, {supervisor, Table, root, Flags, Specs}),
    First =
        case Started of
            {ok, Root} ->
                put(root, Root),
                ["ok", rest()];
            {error, {start_spec, _}} ->
                ["bad spec", rest()];
            {error, {supervisor_data, _}} ->
                ["bad spec", rest()];
            {error, Reason} ->
                ["failed ", oracle:reason(Reason), rest()];
            ignore ->
                ["ignore", rest()]
        end,
    Seen = [First | [[do(Command), rest()] || get(root) =/= undefined, Command <- Commands]],
    clean_up(),
    Seen.

%% ---- commands

do([plan, Id, Plan]) ->
    %% What else happens while a child crashes on its own happens in any order: such a plan stands alone.
    Plans = [Plan | [Other || {{plan, _}, Other} <- ets:tab2list(get(table))]],
    case lists:any(fun(One) -> lists:member(early, One) end, Plans) of
        true -> ets:match_delete(get(table), {{plan, '_'}, '_'});
        false -> ok
    end,
    ets:insert(get(table), {{plan, Id}, Plan}),
    "planned";
do([batch, Commands]) ->
    case catch sys:suspend(get(root)) of
        ok ->
            Queued = [queue(Command) || Command <- Commands],
            %% Resumed without waiting: the supervisor may end before it answers.
            get(root) ! {system, {self(), make_ref()}, resume},
            lists:join(", ", [collect(One) || One <- Queued]);
        _ ->
            "noproc"
    end;
do([stop, Reason]) ->
    call(fun() -> gen_server:stop(get(root), oracle:term_of(Reason), infinity) end);
do([signal, Id, Reason]) ->
    signal(pid_of(Id), Reason);
do([crash, Id, How, Reason]) ->
    crash(pid_of(Id), How, Reason);
do([unlink, Id]) ->
    unlink_from_parent(Id);
do(Command) ->
    Supervisor = pid_of(lists:nth(2, Command)),
    call(fun() -> gen_server:call(Supervisor, request(Command), infinity) end).

%% While the supervisor is suspended: calls wait in its mailbox, and so does the news of children that end.
queue([plan | _] = Command) ->
    {done, do(Command)};
queue([Op, Id | _] = Command) when Op =:= crash; Op =:= signal; Op =:= unlink ->
    Pid = pid_of(Id),
    IsLinked = is_pid(Pid) andalso is_linked(Pid),
    Said = do(Command),
    case is_pid(Pid) andalso ping(Pid) of
        dead when IsLinked -> await_exit(Pid, ?ROUNDS_MAX);
        _ -> ok
    end,
    {done, Said};
queue(Command) ->
    {request, gen_server:send_request(get(root), request(Command))}.

collect({done, Said}) ->
    Said;
collect({request, Id}) ->
    case gen_server:receive_response(Id, infinity) of
        {reply, Reply} -> answer(Reply);
        {error, {Reason, _}} -> ended(Reason)
    end.

request([start_child, _, [Tag, Outcome]]) -> {start_child, [Tag, Outcome]};
request([start_child, _, Spec]) -> {start_child, child_spec(get(table), Spec)};
request([terminate_child, _, Id]) -> {terminate_child, child_name(Id)};
request([restart_child, _, Id]) -> {restart_child, Id};
request([delete_child, _, Id]) -> {delete_child, Id};
request([get_childspec, _, Id]) -> {get_childspec, child_name(Id)}.

%% Under simple_one_for_one a child is named by its pid: [latest, Tag].
child_name([latest, Tag]) ->
    case pid_of(Tag) of
        undefined -> none;
        Pid -> Pid
    end;
child_name(Id) ->
    Id.

call(Fun) ->
    try answer(Fun())
    catch
        exit:noproc -> "noproc";
        exit:{Reason, {gen_server, call, _}} -> ended(Reason);
        exit:{Reason, {sys, terminate, _}} -> ended(Reason)
    end.

ended(noproc) -> "noproc";
ended(Reason) -> ["exit ", oracle:reason(Reason)].

answer(ok) -> "ok";
answer({ok, undefined}) -> "ok undefined";
answer({ok, Pid}) when is_pid(Pid) -> ["ok ", number(Pid)];
answer({ok, #{restart := Restart, shutdown := Shutdown, significant := Significant, type := Type}}) ->
    io_lib:format("~p ~p ~p ~p", [Restart, Shutdown, Significant, Type]);
answer({error, {already_started, Pid}}) -> ["already_started ", number(Pid)];
answer({error, {bad_combination, _}}) -> "bad_combination";
answer({error, Code}) when
    Code =:= already_present; Code =:= not_found; Code =:= running; Code =:= restarting; Code =:= simple_one_for_one
-> atom_to_list(Code);
answer({error, {Reason, Child}}) when element(1, Child) =:= child -> ["failed ", oracle:reason(Reason)];
answer({error, Reason}) -> ["failed ", oracle:reason(Reason)].

signal(undefined, _) ->
    "none";
signal(Pid, Reason) ->
    %% From a stranger: the driver is the supervisor's parent, whose signals mean more.
    {_, Monitor} = spawn_monitor(fun() -> exit(Pid, oracle:term_of(Reason)) end),
    receive {'DOWN', Monitor, process, _, _} -> "sent" end.

crash(undefined, _, _) ->
    "none";
crash(Pid, How, Reason) ->
    gen_server:cast(Pid, {crash, How, oracle:term_of(Reason)}),
    "sent".

unlink_from_parent(Id) ->
    case pid_of(Id) of
        undefined ->
            "none";
        Pid ->
            case ping(Pid) of
                alive ->
                    gen_server:call(Pid, unlink),
                    ets:insert(get(table), {{unlinked, Pid}}),
                    "unlinked";
                dead ->
                    "none"
            end
    end.

%% ---- rest: until nothing is on its way

rest() ->
    Tree = settle(undefined, ?ROUNDS_MAX),
    [" | ", lists:join(" ", noted()), " | ", Tree, " | ", lists:join(" ", living())].

settle(Before, 0) ->
    exit({no_rest, Before});
settle(Before, Rounds) ->
    put(busy, false),
    put(current, [get(root)]),
    Tree = look(get(root)),
    case get(busy) of
        false when Tree =:= Before ->
            case await_leavers() of
                true -> Tree;
                false -> settle(Tree, Rounds - 1)
            end;
        _ ->
            settle(Tree, Rounds - 1)
    end.

look(undefined) ->
    "none";
look(Supervisor) ->
    case catch {supervisor:which_children(Supervisor), supervisor:count_children(Supervisor)} of
        {Rows, Counts} when is_list(Rows), is_list(Counts) ->
            Shown = [row(Row) || Row <- Rows],
            case get(is_dynamic) of
                %% OTP 25 counts too few active ones after terminate_child of a restarting child: counted here.
                true ->
                    Active = length([Pid || {_, Pid, _, _} <- Rows, is_pid(Pid)]),
                    Counted = lists:keystore(active, 1, Counts, {active, Active}),
                    [lists:join(" ", lists:sort(Shown)), " #", counts(Counted)];
                false ->
                    [lists:join(" ", Shown), " #", counts(Counts)]
            end;
        _ ->
            case Supervisor =:= get(root) of
                true -> ["dead ", root_reason()];
                false -> put(busy, true), "dead"
            end
    end.

counts(Counts) ->
    lists:join("/", [integer_to_list(proplists:get_value(Key, Counts)) || Key <- [specs, active, supervisors, workers]]).

row({Id, undefined, _, _}) ->
    [label(Id), "undefined"];
row({Id, restarting, _, _}) ->
    put(busy, true),
    [label(Id), "restarting"];
row({Id, Pid, supervisor, _}) ->
    put(current, [Pid | get(current)]),
    [label(Id), number(Pid), "(", look(Pid), ")"];
row({Id, Pid, worker, _}) ->
    put(current, [Pid | get(current)]),
    case ping(Pid) of
        alive ->
            [label(Id), number(Pid)];
        dead ->
            %% The supervisor will hear of it, unless the child had unlinked itself.
            case ets:member(get(table), {unlinked, Pid}) of
                true -> ok;
                false -> put(busy, true)
            end,
            [label(Id), number(Pid), "+"]
    end.

label(undefined) -> "";
label(Id) -> [atom_to_list(Id), ":"].

root_reason() ->
    case get(reason) of
        undefined ->
            Root = get(root),
            receive
                {'EXIT', Root, Reason} ->
                    put(reason, oracle:reason(Reason)),
                    get(reason)
            end;
        Reason ->
            Reason
    end.

%% Processes that are no longer in the tree are ending, unlinked and stubborn ones apart. True when none was left.
await_leavers() ->
    Leavers = [
        Pid
        || {{pid, Pid}, _, _, false} <- ets:tab2list(get(table)),
           not lists:member(Pid, get(current)),
           not ets:member(get(table), {unlinked, Pid}),
           is_process_alive(Pid)
    ],
    [await_end(Pid) || Pid <- Leavers],
    Leavers =:= [].

await_end(Pid) ->
    Monitor = monitor(process, Pid),
    receive
        {'DOWN', Monitor, process, Pid, _} -> ok
    after 5000 -> exit({does_not_end, number(Pid)})
    end.

await_exit(_, 0) ->
    exit(no_exit_message);
await_exit(Pid, Rounds) ->
    {messages, Messages} = process_info(get(root), messages),
    case lists:any(fun({'EXIT', From, _}) -> From =:= Pid; (_) -> false end, Messages) of
        true -> ok;
        false -> erlang:yield(), await_exit(Pid, Rounds - 1)
    end.

is_linked(Pid) ->
    {links, Links} = process_info(get(root), links),
    lists:member(Pid, Links).

ping(Pid) ->
    %% sys reaches supervisors too.
    try sys:get_state(Pid, infinity) of _ -> alive
    catch exit:_ -> dead
    end.

noted() ->
    Noted = [Text || {{note, _}, Text} <- ets:tab2list(get(table))],
    ets:match_delete(get(table), {{note, '_'}, '_'}),
    Noted.

living() ->
    Numbers = [Number || {{pid, Pid}, Number, _, false} <- ets:tab2list(get(table)), is_process_alive(Pid)],
    [integer_to_list(Number) || Number <- lists:sort(Numbers)].

clean_up() ->
    [exit(Pid, kill) || {{pid, Pid}, _, _, _} <- ets:tab2list(get(table))].

%% ---- the table: numbers, notes, plans

enter(Table, Id, IsStubborn) ->
    Number = ets:update_counter(Table, count, 1),
    ets:insert(Table, [{{pid, self()}, Number, Id, IsStubborn}, {{latest, Id}, self()}]),
    note(Table, io_lib:format("+~s~b", [Id, Number])),
    Number.

note(Table, Text) ->
    ets:insert(Table, {{note, ets:update_counter(Table, noted, 1)}, Text}).

pid_of(root) ->
    get(root);
pid_of(Id) ->
    case ets:lookup(get(table), {latest, Id}) of
        [{_, Pid}] -> Pid;
        [] -> undefined
    end.

number(Pid) ->
    [{_, Number, _, _}] = ets:lookup(get(table), {pid, Pid}),
    integer_to_list(Number).

next_outcome(Table, Id) ->
    case ets:lookup(Table, {plan, Id}) of
        [{Key, [Outcome | Rest]}] ->
            ets:insert(Table, {Key, Rest}),
            Outcome;
        _ ->
            ok
    end.

%% ---- supervisors and workers

child_spec(Table, [Id, Restart, Shutdown, Significant, Kind]) ->
    #{
        id => Id,
        start => {?MODULE, start_child, [Table, Id, Kind]},
        restart => Restart,
        shutdown => Shutdown,
        significant => Significant,
        type => hd(Kind)
    }.

start_child(Table, Id, [supervisor, Flags, Specs]) ->
    supervisor:start_link(?MODULE, {supervisor, Table, Id, Flags, Specs});
start_child(Table, Id, [worker, Trap, IsStubborn]) ->
    gen_server:start_link(?MODULE, {worker, Table, Id, Trap, IsStubborn}, []).

%% Under simple_one_for_one: the tag tells children apart, the outcome is that of every start with these arguments.
start_child(Table, _, [worker, Trap, IsStubborn], Tag, Outcome) ->
    Kind = [worker, Trap, IsStubborn],
    case Outcome of
        ok -> start_child(Table, Tag, Kind);
        _ -> gen_server:start_link(?MODULE, Outcome, [])
    end.

init({supervisor, Table, Id, [Strategy, Intensity, AutoShutdown], Specs}) ->
    case Id =/= root andalso next_outcome(Table, Id) of
        ignore ->
            ignore;
        _ ->
            case Id of
                root -> ets:insert(Table, {{pid, self()}, 0, root, false});
                _ -> enter(Table, Id, false)
            end,
            Flags = #{strategy => Strategy, intensity => Intensity, period => 1000000, auto_shutdown => AutoShutdown},
            {ok, {Flags, [child_spec(Table, Spec) || Spec <- Specs]}}
    end;
init({worker, Table, Id, Trap, IsStubborn}) ->
    case next_outcome(Table, Id) of
        Outcome when Outcome =:= ok; Outcome =:= early ->
            process_flag(trap_exit, Trap),
            State = {Table, Id, enter(Table, Id, IsStubborn), IsStubborn},
            case Outcome of
                ok -> {ok, State};
                early -> {ok, State, {continue, early}}
            end;
        Outcome ->
            init(Outcome)
    end;
init(ignore) -> ignore;
init(fail) -> {stop, sorry};
init(exit) -> exit(bad);
init(error) -> error(oops).

handle_continue(early, State) ->
    {stop, early, State}.

handle_call(unlink, _, State) ->
    [Parent | _] = get('$ancestors'),
    unlink(Parent),
    {reply, ok, State}.

handle_cast({crash, How, Reason}, State) ->
    put(is_leaving, true),
    case How of
        exit -> exit(Reason);
        stop -> {stop, Reason, State};
        error -> error(oops)
    end.

handle_info(_, State) ->
    {noreply, State}.

%% The end of a killed supervisor's children, and of one that crashes as soon as it has started, comes at any time.
terminate(Reason, _) when Reason =:= killed; Reason =:= early ->
    ok;
terminate(Reason, {Table, Id, Number, IsStubborn}) ->
    note(Table, io_lib:format("-~s~b:~s", [Id, Number, oracle:reason(Reason)])),
    case IsStubborn andalso get(is_leaving) =/= true of
        true -> receive never -> ok end;
        false -> ok
    end.
