; test roundtrip
; test eval
; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test check

// Bidirectional attention as its authors write it: both directions from the same scores, mixed by one scalar.
graph bidirectional {
  %x = input : f32[2, 9, 12]
  %wq = weight : f32[12, 12]
  %wk = weight : f32[12, 12]
  %wv = weight : f32[12, 12]
  %wl = weight : f32[12, 12]
  %wc = weight : f32[12, 12]
  %g = weight : f32[16, 4]
  %b = weight : f32[4, 4]
  %bias = weight : f32[3, 9, 9]
  %lambda = weight : f32[]
  %xq = matmul %x, %wq
  %hq = reshape %xq { shape = [2, 9, 3, 4] }
  %q = transpose %hq { order = [-2, -3, -1] }
  %xk = matmul %x, %wk
  %hk = reshape %xk { shape = [2, 9, 3, 4] }
  %k = transpose %hk { order = [-2, -3, -1] }
  %xv = matmul %x, %wv
  %hv = reshape %xv { shape = [2, 9, 3, 4] }
  %v = transpose %hv { order = [-2, -3, -1] }
  %xl = matmul %x, %wl
  %al = gelu %xl
  %hl = reshape %al { shape = [2, 9, 3, 4] }
  %l = transpose %hl { order = [-2, -3, -1] }
  %xc = matmul %x, %wc
  %ac = gelu %xc
  %hc = reshape %ac { shape = [2, 9, 3, 4] }
  %c = transpose %hc { order = [-2, -3, -1] }
  %sa = attention %q, %k, %v, %bias { scale = 0.5 }
  %isa = inverse_attention %q, %k, %l, %c, %g, %b, %bias { scale = 0.5 }
  %mixed = mix %sa, %isa, %lambda
  %tokens = transpose %mixed { order = [-2, -3, -1] }
  %y = reshape %tokens { shape = [2, 9, 12] }
  return %y
}

; expect roundtrip
;   graph bidirectional {
;     %x = input : f32[2, 9, 12]
;     %wq = weight : f32[12, 12]
;     %wk = weight : f32[12, 12]
;     %wv = weight : f32[12, 12]
;     %wl = weight : f32[12, 12]
;     %wc = weight : f32[12, 12]
;     %g = weight : f32[16, 4]
;     %b = weight : f32[4, 4]
;     %bias = weight : f32[3, 9, 9]
;     %lambda = weight : f32[]
;     %xq = matmul %x, %wq : f32[2, 9, 12]
;     %hq = reshape %xq { shape = [2, 9, 3, 4] } : f32[2, 9, 3, 4]
;     %q = transpose %hq { order = [-2, -3, -1] } : f32[2, 3, 9, 4]
;     %xk = matmul %x, %wk : f32[2, 9, 12]
;     %hk = reshape %xk { shape = [2, 9, 3, 4] } : f32[2, 9, 3, 4]
;     %k = transpose %hk { order = [-2, -3, -1] } : f32[2, 3, 9, 4]
;     %xv = matmul %x, %wv : f32[2, 9, 12]
;     %hv = reshape %xv { shape = [2, 9, 3, 4] } : f32[2, 9, 3, 4]
;     %v = transpose %hv { order = [-2, -3, -1] } : f32[2, 3, 9, 4]
;     %xl = matmul %x, %wl : f32[2, 9, 12]
;     %al = gelu %xl : f32[2, 9, 12]
;     %hl = reshape %al { shape = [2, 9, 3, 4] } : f32[2, 9, 3, 4]
;     %l = transpose %hl { order = [-2, -3, -1] } : f32[2, 3, 9, 4]
;     %xc = matmul %x, %wc : f32[2, 9, 12]
;     %ac = gelu %xc : f32[2, 9, 12]
;     %hc = reshape %ac { shape = [2, 9, 3, 4] } : f32[2, 9, 3, 4]
;     %c = transpose %hc { order = [-2, -3, -1] } : f32[2, 3, 9, 4]
;     %sa = attention %q, %k, %v, %bias { scale = 0.5 } : f32[2, 3, 9, 4]
;     %isa = inverse_attention %q, %k, %l, %c, %g, %b, %bias { scale = 0.5 } : f32[2, 3, 9, 4]
;     %mixed = mix %sa, %isa, %lambda : f32[2, 3, 9, 4]
;     %tokens = transpose %mixed { order = [-2, -3, -1] } : f32[2, 9, 3, 4]
;     %y = reshape %tokens { shape = [2, 9, 12] } : f32[2, 9, 12]
;     return %y
;   }

; expect eval
;   61670 flops
;   %y : f32[2, 9, 12] = 0.07892 0.21483 0.11218 -0.22191 2.89289 -0.75726 … norm 12.56323

; expect optimize target=x86-64-v4
;   ; %y: 135 e-nodes, 16 iterations, saturated; factor-through-view ×4, factor-into-values ×2, view-of-view ×4, factor-after-weights ×3, factor-into-sum, generated-matrices, weights-before-inverse
;   ; merge-parallel-products ×2
;   graph bidirectional {
;     %x = input : f32[2, 9, 12]
;     %wq = weight : f32[12, 12]
;     %wk = weight : f32[12, 12]
;     %wv = weight : f32[12, 12]
;     %wl = weight : f32[12, 12]
;     %wc = weight : f32[12, 12]
;     %g = weight : f32[16, 4]
;     %b = weight : f32[4, 4]
;     %bias = weight : f32[3, 9, 9]
;     %lambda = weight : f32[]
;     %10 = sigmoid %lambda : f32[]
;     %11 = const { value = 1.0 } : f32[]
;     %12 = sub %11, %10 : f32[]
;     %13 = view %10 { map = "[12, 12] of 1: 0" } : f32[12, 12]
;     %14 = mul %wv, %13 : f32[12, 12]
;     %15 = iota { axis = -1 } : i32[12, 36]
;     %16 = view %wq { map = "[12, 36] of 144: 12*i0 + i1%12 + (i1/12) in 1 * 0 else 0.0" } : f32[12, 36]
;     %17 = view %wk { map = "[12, 36] of 144: 12*i0 + i1%12 + (-1 + i1/12) in 1 * 0 else 0.0" } : f32[12, 36]
;     %18 = const { value = 12.0 } : i32[12, 36]
;     %19 = le %18, %15 : bool[12, 36]
;     %20 = select %19, %17, %16 : f32[12, 36]
;     %21 = view %14 { map = "[12, 36] of 144: 12*i0 + i1%12 + (-2 + i1/12) in 1 * 0 else 0.0" } : f32[12, 36]
;     %22 = const { value = 24.0 } : i32[12, 36]
;     %23 = le %22, %15 : bool[12, 36]
;     %24 = select %23, %21, %20 : f32[12, 36]
;     %25 = matmul %x, %24 : f32[2, 9, 36]
;     %q = view %25 { map = "[2, 3, 9, 4] of 648: 324*i0 + 36*i2 + 4*i1 + i3" } : f32[2, 3, 9, 4]
;     %k = view %25 { map = "[2, 3, 9, 4] of 648: 12 + 324*i0 + 36*i2 + 4*i1 + i3" } : f32[2, 3, 9, 4]
;     %28 = scores %q, %k : f32[2, 3, 9, 9]
;     %29 = const { value = 0.5 } : f32[2, 3, 9, 9]
;     %30 = mul %28, %29 : f32[2, 3, 9, 9]
;     %31 = view %bias { map = "[2, 3, 9, 9] of 243: 81*i1 + 9*i2 + i3" } : f32[2, 3, 9, 9]
;     %32 = add %30, %31 : f32[2, 3, 9, 9]
;     %33 = view %25 { map = "[2, 3, 9, 4] of 648: 24 + 324*i0 + 36*i2 + 4*i1 + i3" } : f32[2, 3, 9, 4]
;     %34 = attend %32, %33 { axis = -1 } : f32[2, 3, 9, 4]
;     %35 = view %34 { map = "[2, 9, 12] of 216: 108*i0 + 36*i2/4 + 4*i1 + i2%4" } : f32[2, 9, 12]
;     %36 = iota { axis = -1 } : i32[12, 24]
;     %37 = view %wl { map = "[12, 24] of 144: 12*i0 + i1%12 + (i1/12) in 1 * 0 else 0.0" } : f32[12, 24]
;     %38 = view %wc { map = "[12, 24] of 144: 12*i0 + i1%12 + (-1 + i1/12) in 1 * 0 else 0.0" } : f32[12, 24]
;     %39 = const { value = 12.0 } : i32[12, 24]
;     %40 = le %39, %36 : bool[12, 24]
;     %41 = select %40, %38, %37 : f32[12, 24]
;     %42 = matmul %x, %41 : f32[2, 9, 24]
;     %43 = gelu %42 : f32[2, 9, 24]
;     %c = view %43 { map = "[2, 3, 9, 4] of 432: 12 + 216*i0 + 24*i2 + 4*i1 + i3" } : f32[2, 3, 9, 4]
;     %45 = view %43 { map = "[2, 3, 9, 16] of 432: 216*i0 + 24*i2 + 4*i1 + i3/4" } : f32[2, 3, 9, 16]
;     %46 = view %43 { map = "[2, 3, 9, 16] of 432: 12 + 216*i0 + 24*i2 + 4*i1 + i3%4" } : f32[2, 3, 9, 16]
;     %47 = mul %45, %46 : f32[2, 3, 9, 16]
;     %48 = view %g { map = "[16, 4] of 64: 16*i0/4 + 4*i1 + i0%4" } : f32[16, 4]
;     %49 = view %12 { map = "[16, 4] of 1: 0" } : f32[16, 4]
;     %50 = mul %48, %49 : f32[16, 4]
;     %51 = matmul %47, %50 : f32[2, 3, 9, 4]
;     %52 = view %51 { map = "[2, 9, 12] of 216: 108*i0 + 36*i2/4 + 4*i1 + i2%4" } : f32[2, 9, 12]
;     %53 = view %b { map = "[4, 4] of 16: 4*i1 + i0" } : f32[4, 4]
;     %54 = view %12 { map = "[4, 4] of 1: 0" } : f32[4, 4]
;     %55 = mul %53, %54 : f32[4, 4]
;     %56 = matmul %c, %55 : f32[2, 3, 9, 4]
;     %57 = attend %32, %56 { axis = -2 } : f32[2, 3, 9, 4]
;     %58 = view %57 { map = "[2, 9, 12] of 216: 108*i0 + 36*i2/4 + 4*i1 + i2%4" } : f32[2, 9, 12]
;     %59 = add %52, %58 : f32[2, 9, 12]
;     %y = add %35, %59 : f32[2, 9, 12]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan bidirectional {
;     %25 = matmul [1, 18, 12] by [12, 36], constant %24 reading %x
;     %43 = matmul [1, 18, 12] by [12, 24], constant %41 reading %x
;     %52 = matmul [1, 54, 16] by [16, 4], constant %50 reading %43
;     %56 = matmul [1, 54, 4] by [4, 4], constant %55 reading %43
;     %y = bidirectional [6, 9, 9] over 4 values reading %bias, %25, %56, %52
;   }

; expect check
;   %y within 1e-5 of the reference
