; test optimize target=x86-64-v4
; test check

// One query of two heads: neither keys nor values are projected, and biases leave with them.
graph few_queries {
  %x = input : f32[2, 12, 16]
  %class = slice %x { axis = 1, start = 0, stop = 1, step = 1 }
  %wq = weight : f32[16, 16]
  %wk = weight : f32[16, 16]
  %wv = weight : f32[16, 16]
  %wo = weight : f32[16, 16]
  %bk = weight : f32[16]
  %bv = weight : f32[16]
  %bo = weight : f32[16]
  %q0 = matmul %class, %wq
  %k0 = matmul %x, %wk
  %k1 = add %k0, %bk
  %v0 = matmul %x, %wv
  %v1 = add %v0, %bv
  %q2 = reshape %q0 { shape = [2, 1, 2, 8] }
  %k2 = reshape %k1 { shape = [2, 12, 2, 8] }
  %v2 = reshape %v1 { shape = [2, 12, 2, 8] }
  %q = transpose %q2 { order = [-4, -2, -3, -1] }
  %k = transpose %k2 { order = [-4, -2, -3, -1] }
  %v = transpose %v2 { order = [-4, -2, -3, -1] }
  %a = attention %q, %k, %v { scale = 0.353553 }
  %m0 = transpose %a { order = [-4, -2, -3, -1] }
  %m = reshape %m0 { shape = [2, 1, 16] }
  %p = matmul %m, %wo
  %y = add %p, %bo
  return %y
}

; expect optimize target=x86-64-v4
;   ; %y: 93 e-nodes, 12 iterations, saturated; value-bias-out-of-scaled-attend, view-of-add, view-of-view, term-through-weights, add-rows, project-what-is-attended-of-heads, number-into-queries, key-bias-out-of-scores, attend-without-key-bias, queries-take-key-weights-of-heads, view-in-place
;   graph few_queries {
;     %x = input : f32[2, 12, 16]
;     %wq = weight : f32[16, 16]
;     %wk = weight : f32[16, 16]
;     %wv = weight : f32[16, 16]
;     %wo = weight : f32[16, 16]
;     %bv = weight : f32[16]
;     %bo = weight : f32[16]
;     %class = view %x { map = "[2, 1, 16] of 384: 192*i0 + i2" } : f32[2, 1, 16]
;     %8 = const { value = 0.353553 } : f32[16, 16]
;     %9 = mul %wq, %8 : f32[16, 16]
;     %10 = matmul %class, %9 : f32[2, 1, 16]
;     %11 = view %10 { map = "[2, 2, 1, 8] of 32: 16*i0 + 8*i1 + i3" } : f32[2, 2, 1, 8]
;     %12 = view %wk { map = "[2, 8, 16] of 256: 16*i2 + 8*i0 + i1" } : f32[2, 8, 16]
;     %13 = matmul %11, %12 : f32[2, 2, 1, 16]
;     %14 = view %x { map = "[2, 1, 12, 16] of 384: 192*i0 + 16*i2 + i3" } : f32[2, 1, 12, 16]
;     %15 = scores %13, %14 : f32[2, 2, 1, 12]
;     %16 = attend %15, %14 { axis = -1 } : f32[2, 2, 1, 16]
;     %17 = view %wv { map = "[2, 16, 8] of 256: 16*i1 + 8*i0 + i2" } : f32[2, 16, 8]
;     %18 = matmul %16, %17 : f32[2, 2, 1, 8]
;     %19 = view %18 { map = "[2, 1, 16] of 32: 16*i0 + i2" } : f32[2, 1, 16]
;     %20 = matmul %19, %wo : f32[2, 1, 16]
;     %21 = view %bv { map = "[1, 16] of 16: i1" } : f32[1, 16]
;     %22 = matmul %21, %wo : f32[1, 16]
;     %23 = view %bo { map = "[1, 16] of 16: i1" } : f32[1, 16]
;     %24 = add %22, %23 : f32[1, 16]
;     %25 = view %24 { map = "[2, 1, 16] of 16: i2" } : f32[2, 1, 16]
;     %y = add %20, %25 : f32[2, 1, 16]
;     return %y
;   }

; expect check
;   %y within 1e-5 of the reference
