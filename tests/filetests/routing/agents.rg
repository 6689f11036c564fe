; test roundtrip
; test eval
; test plan target=x86-64-v4
; test check

// Tokens attend to agents: sampled where offsets moved them, with a bias that is sampled, too.
graph agents {
  %x = input : f32[1, 6, 5, 8]
  %offsets = input : f32[2, 2, 3, 1]
  %table = weight : f32[4, 11, 11]
  %positions = offset_positions %offsets { reference = centres, limit = clamp, factor = 0.0 }
  %groups = reshape %positions { shape = [1, 2, 2, 3, 2] }
  %a = agents %x, %groups
  %bias = sampled_bias %table, %groups { height = 6, width = 5, query = corners }
  %tokens = reshape %x { shape = [1, 30, 4, 2] }
  %q = transpose %tokens { order = [-2, -3, -1] }
  %keys = reshape %a { shape = [1, 6, 4, 2] }
  %k = transpose %keys { order = [-2, -3, -1] }
  %y = attention %q, %k, %k, %bias { scale = 0.35 }
  return %y
}

; expect roundtrip
;   graph agents {
;     %x = input : f32[1, 6, 5, 8]
;     %offsets = input : f32[2, 2, 3, 1]
;     %table = weight : f32[4, 11, 11]
;     %positions = offset_positions %offsets { reference = centres, limit = clamp, factor = 0.0 } : f32[2, 2, 3, 2]
;     %groups = reshape %positions { shape = [1, 2, 2, 3, 2] } : f32[1, 2, 2, 3, 2]
;     %a = agents %x, %groups : f32[1, 2, 3, 8]
;     %bias = sampled_bias %table, %groups { height = 6, width = 5, query = corners } : f32[1, 4, 30, 6]
;     %tokens = reshape %x { shape = [1, 30, 4, 2] } : f32[1, 30, 4, 2]
;     %q = transpose %tokens { order = [-2, -3, -1] } : f32[1, 4, 30, 2]
;     %keys = reshape %a { shape = [1, 6, 4, 2] } : f32[1, 6, 4, 2]
;     %k = transpose %keys { order = [-2, -3, -1] } : f32[1, 4, 6, 2]
;     %y = attention %q, %k, %k, %bias { scale = 0.35 } : f32[1, 4, 30, 2]
;     return %y
;   }

; expect eval
;   20060 flops
;   %y : f32[1, 4, 30, 2] = 0.15273 0.15111 0.24618 0.10683 0.16879 0.15602 … norm 2.52655

; expect plan target=x86-64-v4
;   plan agents {
;     %y = attend [4, 30, 6] over 2 values reading %35, %offsets, %19, %40, %44, %table, %30, %x
;   }

; expect check
;   %y within 1e-5 of the reference
