; test eval
; test canonical
; test plan target=x86-64-v4

// Cut and put together again, nothing has moved: the views cancel.
graph there_and_back {
  %x = input : f32[1, 4, 4, 2]
  %r = reshape %x { shape = [1, 2, 2, 2, 2, 2] }
  %t = transpose %r { order = [-5, -3, -4, -2, -1] }
  %w = reshape %t { shape = [4, 4, 2] }
  %s = reshape %w { shape = [1, 2, 2, 2, 2, 2] }
  %u = transpose %s { order = [-5, -3, -4, -2, -1] }
  %z = reshape %u { shape = [1, 4, 4, 2] }
  %y = mul %z, 2.0
  return %y
}

; expect eval
;   32 flops
;   %y : f32[1, 4, 4, 2] = -0.06250 0.31250 1.78125 -0.65625 -0.93750 1.25000 … norm 6.13472

; expect canonical
;   graph there_and_back {
;     %x = input : f32[1, 4, 4, 2]
;     %1 = const { value = 2.0 } : f32[1, 4, 4, 2]
;     %y = mul %x, %1 : f32[1, 4, 4, 2]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan there_and_back {
;     %y = row [1, 32] reading %x
;   }
