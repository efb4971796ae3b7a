%% Plays scenarios of a gen_statem: [Actions, Enters, Commands].
%%
%%   Event    [Tag, Reactions], a reaction being [State, Result, Actions]: what the machine does about it in which state
%%   Enters   [State, Result, Actions]: what it does when it enters a state
%%
%% An event brings its own reactions, so one machine plays all machines. It handles FUEL events a command as they say, and
%% keeps its state without actions after that, so that nothing goes round for ever.
-module(oracle_statem).
-behaviour(gen_statem).
-export([play/1, init/1, callback_mode/0, handle_event/4, terminate/3]).

-define(FUEL, 25).

play([Actions, Enters, Commands]) ->
    Table = ets:new(table, [public, ordered_set]),
    ets:insert(Table, [{fuel, ?FUEL}, {noted, 0}, {state, none}]),
    put(table, Table),
    put(pending, []),
    put(calls, 0),
    process_flag(trap_exit, true),
    {ok, Pid} = gen_statem:start_link(?MODULE, [Table, Actions, Enters], []),
    put(machine, Pid),
    First = rest("ok"),
    [First | [begin ets:insert(Table, {fuel, ?FUEL}), rest(do(Command)) end || Command <- Commands]].

do([batch, Commands]) ->
    case catch sys:suspend(get(machine)) of
        ok ->
            Said = [do(Command) || Command <- Commands],
            get(machine) ! {system, {self(), make_ref()}, resume},
            lists:join(", ", Said);
        _ ->
            "noproc"
    end;
do([call, Event]) ->
    Number = put(calls, get(calls) + 1),
    put(pending, get(pending) ++ [{Number, gen_statem:send_request(get(machine), Event)}]),
    "asked";
do([cast, Event]) ->
    gen_statem:cast(get(machine), Event),
    "sent";
do([info, Event]) ->
    get(machine) ! Event,
    "sent";
do([stop, Reason]) ->
    try gen_statem:stop(get(machine), oracle:term_of(Reason), infinity) of ok -> "ok"
    catch exit:Why -> ended(Why)
    end.

ended(noproc) -> "noproc";
ended({Reason, {sys, terminate, _}}) -> ended(Reason);
ended(Reason) -> ["exit ", oracle:reason(Reason)].

rest(Said) ->
    %% The machine hears this when nothing of its own is left to do.
    catch sys:get_state(get(machine), infinity),
    Answers = answers(),
    Notes = [Text || {{note, _}, Text} <- ets:tab2list(get(table))],
    ets:match_delete(get(table), {{note, '_'}, '_'}),
    [Said, [[" ", Answer] || Answer <- Answers], " | ", lists:join(" ", Notes), " | ", state()].

state() ->
    Pid = get(machine),
    case is_process_alive(Pid) of
        true ->
            {State, _} = sys:get_state(Pid),
            atom_to_list(State);
        false ->
            case get(reason) of
                undefined ->
                    receive {'EXIT', Pid, Reason} -> put(reason, Reason) end,
                    state();
                Reason ->
                    ["dead ", oracle:reason(Reason)]
            end
    end.

answers() ->
    Patience = case is_process_alive(get(machine)) of true -> 0; false -> infinity end,
    Looked = [{Number, Id, gen_statem:wait_response(Id, Patience)} || {Number, Id} <- get(pending)],
    put(pending, [{Number, Id} || {Number, Id, timeout} <- Looked]),
    [[integer_to_list(Number), "=", said(Answer)] || {Number, _, Answer} <- Looked, Answer =/= timeout].

said({reply, Reply}) -> atom_to_list(Reply);
said({error, {Reason, _}}) -> ended(Reason).

%% ---- the machine

init([Table, Actions, Enters]) ->
    put(table, Table),
    put(enters, Enters),
    {ok, s1, data, [action(Action, init) || Action <- Actions]}.

callback_mode() -> [handle_event_function, state_enter].

handle_event(enter, Old, State, _) ->
    note(io_lib:format("enter:~s>~s", [Old, State])),
    react(enter, State, get(enters));
handle_event(Type, [Tag, Reactions], State, _) ->
    note(io_lib:format("~s:~s@~s", [type(Type), Tag, State])),
    react(Type, State, Reactions).

react(Type, State, Reactions) ->
    Fuel = ets:update_counter(get(table), fuel, -1),
    case reaction(State, Reactions) of
        {Result, Given} when Fuel >= 0 ->
            Actions = [action(Action, Type) || Action <- Given, is_possible(Action, Type)],
            case Result of
                keep -> {keep_state_and_data, Actions};
                repeat -> {repeat_state_and_data, Actions};
                [next, Next] -> {next_state, Next, data, Actions};
                [stop, Reason] -> {stop_and_reply, oracle:term_of(Reason), [Reply || {reply, _, _} = Reply <- Actions]};
                error -> error(oops)
            end;
        _ ->
            keep_state_and_data
    end.

reaction(State, [[State, Result, Given] | _]) -> {Result, Given};
reaction(State, [_ | Rest]) -> reaction(State, Rest);
reaction(_, []) -> none.

is_possible([reply, _], {call, _}) -> true;
is_possible([reply, _], _) -> false;
is_possible([postpone], enter) -> false;
is_possible([next_event | _], enter) -> false;
is_possible(_, _) -> true.

action([reply, Value], {call, From}) -> {reply, From, Value};
action([postpone], _) -> postpone;
action([next_event, Type, Event], _) -> {next_event, Type, Event};
action([start, Timer, Time, Event], _) -> {timer(Timer), Time, Event};
action([cancel, Timer], _) -> {timer(Timer), cancel};
action([update, Timer, Event], _) -> {timer(Timer), update, Event}.

timer(state_timeout) -> state_timeout;
timer(event_timeout) -> timeout;
timer(Name) -> {timeout, Name}.

type({call, _}) -> call;
type({timeout, Name}) -> Name;
type(timeout) -> event_timeout;
type(Type) -> Type.

%% gen_statem gives an error without its stack here, gen_server with it.
terminate(oops, State, Data) ->
    terminate({oops, []}, State, Data);
terminate(Reason, State, _) ->
    note(io_lib:format("terminate:~s@~s", [oracle:reason(Reason), State])).

note(Text) ->
    ets:insert(get(table), {{note, ets:update_counter(get(table), noted, 1)}, Text}).
